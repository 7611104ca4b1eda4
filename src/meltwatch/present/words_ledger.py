"""Sentences for what is wrong with a node's disk and its ledger, and for keeping them.

Each names the fix; the place is told beside it. Templates take the problem's params.
"""

from __future__ import annotations

from meltwatch.present.words_given import Words

LEDGER: dict[str, Words] = {
    "numbers.unknown_source": (
        "来源 {source} 不属于本企业:应为 网关/纪元",
        "The source {source} is not this plant's: name gateway/epoch",
    ),
    "numbers.range": (
        "序号范围须自 1 起、先小后大,一次至多 {most} 个",
        "A range of numbers begins at 1 or later, the lesser first, {most} at most at once",
    ),
    "numbers.unreadable": (
        "台账暂时无法读取({reason}):请稍后再试",
        "The ledger cannot be read now ({reason}): try again later",
    ),
    "reconcile.here_only": (
        "序号 {first} 至 {last} 只在此端有:请核对彼端",
        "Numbers {first} to {last} are held here only: look at the other end",
    ),
    "reconcile.there_only": (
        "序号 {first} 至 {last} 只在彼端有:请核对此端",
        "Numbers {first} to {last} are held there only: look at this end",
    ),
    "reconcile.lost_there": (
        "序号 {first} 至 {last} 曾获确认,而服务器现在没有:可能恢复自旧备份",
        (
            "Numbers {first} to {last} were acknowledged and the server has them no more: "
            "was it restored from a backup?"
        ),
    ),
    "reconcile.unlike": (
        "序号 {first} 至 {last} 两端内容不同:请人工核对",
        "Numbers {first} to {last} are not alike at both ends: look at them",
    ),
    "reconcile.no_end": (
        "既非数据目录、发件箱文件,也非 http(s) 地址:请改正",
        "This is no data directory, outbox file or http(s) address: mend it",
    ),
    "reconcile.outbox_unreadable": (
        "发件箱无法读取({reason}):请先停止网关",
        "The outbox cannot be read ({reason}): stop the gateway first",
    ),
    "reconcile.server_refuses": (
        "服务器拒绝({status} {reason}):请核对企业、账号和密码",
        "The server refuses ({status} {reason}): check the enterprise, the account, the password",
    ),
    "reconcile.no_server": (
        "无法连接服务器({reason}):请核对地址",
        "The server does not answer ({reason}): check the address",
    ),
    "ledger.retention_held": (
        "日志超限 {over_mib} MiB;{reader} 仅处理到 {done}(须到 {needs}),不删:请查其原因",
        (
            "The log is {over_mib} MiB over its limit, but {reader} has not come to {needs} yet "
            "(it is at {done}), so nothing goes: look why it lags"
        ),
    ),
    "backup.no_data": (
        "此处没有节点数据:请写核心使用的数据目录",
        "No node's data are here: name the directory that core uses",
    ),
    "backup.place_taken": (
        "该位置已有内容:请写一个新目录",
        "Something is there already: name a new directory",
    ),
    "backup.inside": (
        "备份不能放在数据目录内:请写别处的目录",
        "A backup cannot stand inside the data: name a directory elsewhere",
    ),
    "backup.no_room": (
        "需要 {needs_mib} MiB,仅剩 {free_mib} MiB:请腾出空间或换一处",
        "{needs_mib} MiB are needed, {free_mib} MiB are free: make room or choose another place",
    ),
    "backup.disturbed": (
        "连续 {tries} 次被清理打断:请稍后再试",
        "Retention took files away {tries} times meanwhile: try again later",
    ),
    "restore.no_backup": (
        "此处不是完整的备份({reason}):请写 backup 所建的目录",
        "This is no whole backup ({reason}): name a directory that backup has made",
    ),
    "restore.version": (
        "备份版本 {found},本程序识别 {known}:请换用建立它的版本",
        "The backup's version is {found}, this program reads {known}: use the version that made it",
    ),
    "restore.name": (
        "清单中的文件名指向备份之外:请勿使用此备份",
        "The list names a file outside the backup: do not use it",
    ),
    "restore.place_taken": (
        "该位置已有内容:恢复只写入新目录或空目录",
        "Something is there already: restore writes to a new or empty directory only",
    ),
    "restore.file_unreadable": (
        "备份中的文件无法读取({reason}):请换另一份备份",
        "The file cannot be read from the backup ({reason}): use another backup",
    ),
    "restore.file_differs": (
        "备份中的文件与清单的摘要不符,已停止:请换另一份备份",
        "The file is not what was backed up, so it stops: use another backup",
    ),
    "requeue.frame_gone": (
        "位置 {frame} 的帧已不在台账中或已损坏:无法重新入列",
        "The frame at {frame} is no longer in the log, or damaged: it cannot be requeued",
    ),
    "requeue.source_gone": (
        "网关 {source} 已不在当前配置中:请先配置",
        "The gateway {source} is not in the plant in force: configure it first",
    ),
    "requeue.overtaken": (
        "该帧已重新入列 {done} 次,请求依据的是 {told} 次:请重新列出后再试",
        "Rows of this frame were requeued {done} times, the asker knew of {told}: list again",
    ),
    "requeue.core_went_away": (
        "核心进程中途未应答:请重新列出,已入列的行有标记,其余可再试",
        "The core went away meanwhile: list again, what was done is marked; ask for the rest again",
    ),
    "requeue.not_in_quarantine": (
        "所列的行不全在隔离区:请重新列出后再试",
        "Not all of these rows are in quarantine: list again",
    ),
    "ledger.entries_lost": (
        "记录 {first} 至 {last} 无法读取({sources}),其余照常:请保留文件,用备份核对",
        (
            "Entries {first} to {last} cannot be read ({sources}), the rest goes on: "
            "keep the file, look at them in a backup"
        ),
    ),
    "ledger.entry_spoilt": (
        "位置 {pos} 的记录({source} 第 {seq} 号)内容与摘要不符,已跳过:请在备份中核对",
        (
            "Entry {pos} ({source} number {seq}) does not fit its digest and is passed over: "
            "look at it in a backup"
        ),
    ),
    "ledger.alarm_lost": (
        "{condition} 的报警已发出,但其记录已损坏,当前画面没有它:请按仍在报警处置",
        (
            "An alarm of {condition} was raised and its entries are damaged, no screen shows "
            "it: treat it as raised until you have looked"
        ),
    ),
    "ledger.index_set_aside": (
        "索引已损坏,已移开并由日志重建:请检查磁盘;冲突记录和问候仅在移开的文件中",
        (
            "The index was damaged, set aside and made again from the log: look at the disk; "
            "kept conflicts and hellos are in the old one only"
        ),
    ),
    "ledger.positions_missing": (
        "缺少位置 {first} 至 {last} 的记录:请用备份核对",
        "The entries {first} to {last} are missing: look for them in a backup",
    ),
    "ledger.file_unreadable": (
        "文件无法读取({told}):请保留原件,用备份核对",
        "The file cannot be read ({told}): keep it, look at it in a backup",
    ),
    "ledger.file_unsound": (
        "文件结构不完好({told}):请保留原件,用备份核对",
        "The file is not sound ({told}): keep it, compare with a backup",
    ),
    "ledger.index_differs": (
        "来源 {source}:索引记到 {index},日志有到 {log}:请停止核心后删除 index.sqlite 以重建",
        (
            "Source {source}: the index says {index}, the log {log}: stop the core and remove "
            "index.sqlite, it is made again"
        ),
    ),
    "ledger.checkpoint_damaged": (
        "{partition} 在位置 {pos} 的检查点已损坏:启动时会用前一个",
        "The checkpoint of {partition} at {pos} is damaged: a start uses the one before",
    ),
    "ledger.seq_not_dense": (
        "来源 {source} 在位置 {pos} 处应为第 {expected} 号:中间的记录缺失",
        "Source {source}: number {expected} should stand at {pos}: entries between are missing",
    ),
    "ledger.digest_differs": (
        "来源 {source} 第 {seq} 号(位置 {number})内容与摘要不符:已被改动或损坏",
        "{source} number {seq} (position {number}) does not fit its digest: changed or damaged",
    ),
    "ledger.conflict_digest_differs": (
        "来源 {source} 第 {seq} 号的冲突记录 {number} 内容与摘要不符:已被改动或损坏",
        "Conflict {number} ({source} number {seq}) does not fit its digest: changed or damaged",
    ),
    "node.core_away": (
        "核心进程未应答:请查看其日志,稍后再试",
        "The core does not answer: look at what it says, and ask again later",
    ),
    "ledger.disk_failing": (
        "磁盘故障({reason}):请检查磁盘;写入将自动重试",
        "The disk fails ({reason}): look at it; writing is tried again by itself",
    ),
}
