"""Sentences for a gateway's file, its outbox and what it reports of its source and itself.

Each names the fix, or what happens meanwhile; the place is told beside it. Templates take the
problem's params.
"""

from __future__ import annotations

from meltwatch.present.words_given import Words

ASKED: dict[str, Words] = {
    "gateway.server": (
        "{told} 不是服务器地址:只写协议、主机和端口,形如 http://127.0.0.1:8701",
        "{told} is no server: scheme, host and port only, like http://127.0.0.1:8701",
    ),
    "gateway.key_id": (
        "{told} 不是密钥标识:只能用可见 ASCII 字符",
        "{told} is no key id: visible ASCII characters only",
    ),
    "gateway.one_key": (
        "请只写一种密钥:hmac_sm3、hmac_sm3_file、ed25519 或 ed25519_file",
        "Give one secret: hmac_sm3, hmac_sm3_file, ed25519 or ed25519_file",
    ),
    "gateway.seed": (
        "Ed25519 私钥应为 {digits} 位十六进制数字:请用 openssl rand -hex 32 生成",
        "An ed25519 seed has {digits} hexadecimal digits: make one by openssl rand -hex 32",
    ),
    "gateway.no_path": ("请写发件箱文件的路径", "Name the outbox's file"),
    "gateway.outside": ("应在 {least} 与 {most} 之间", "It must lie between {least} and {most}"),
    "gateway.backoff_reversed": (
        "最长等待短于最初等待 {least_s} 秒",
        "The longest wait is shorter than the first, {least_s} s",
    ),
    "gateway.endpoint": (
        "{told} 不是 OPC UA 地址:形如 opc.tcp://192.168.0.10:4840",
        "{told} is no OPC UA endpoint: write it like opc.tcp://192.168.0.10:4840",
    ),
    "gateway.no_points": (
        "没有测点:请加 装置/测点: 节点标识",
        "There is no point: add `unit/name: node id`",
    ),
}

OUTBOX: dict[str, Words] = {
    "outbox.in_use": (
        "发件箱被另一进程占用:请先停止该进程",
        "Another process has this outbox: stop it first",
    ),
    "outbox.of_another": (
        "发件箱属于网关 {gateway}:请换文件或改回网关名",
        "The outbox belongs to the gateway {gateway}: name another file or that gateway",
    ),
    "outbox.unknown_format": (
        "不是本程序的发件箱(格式 {found},本程序识别 {known}):请换文件,勿改动它",
        "No outbox of this program (format {found}, it reads {known}): name another, leave it be",
    ),
    "outbox.damaged": (
        "发件箱已损坏({reason}):请移走保存,另建一个",
        "The outbox is damaged ({reason}): set it aside and begin a new one",
    ),
    "outbox.unavailable": (
        "发件箱磁盘不可写({reason}):数据暂存内存,请腾出空间或检查磁盘",
        "The outbox's disk fails ({reason}): data wait in memory, make room or mend the disk",
    ),
    "outbox.recovered": ("发件箱磁盘已恢复", "The outbox's disk is well again"),
    "outbox.dropped": (
        "发件箱已满或过期,最旧的 {frames} 帧已丢弃并如实上报:请恢复线路或加大发件箱",
        "The outbox is full or too old, {frames} frames go as lost: mend the line, give more room",
    ),
}

GATEWAY_REPORTS: dict[str, Words] = {
    "gateway.rows_lost": (
        "磁盘久未恢复,内存中 {rows} 行已丢失并如实上报",
        "The disk failed for too long: {rows} rows in memory are lost, and told so",
    ),
    "gateway.frames_moved": (
        "本机时钟曾有误:{frames} 帧未发数据的时刻已校正 {ms} 毫秒",
        "The clock was wrong: {frames} frames not yet sent were moved by {ms} ms",
    ),
    "gateway.frames_unproven": (
        "重启前 {frames} 帧的时钟无法核实:照发并标注时钟存疑",
        "The clock of {frames} frames from before a restart is unproven: sent, and marked so",
    ),
    "gateway.frames_aside": (
        "{frames} 帧的时刻不可能为真且无法校正:留在发件箱不发送,请检查本机对时",
        "{frames} frames tell times that cannot be: kept, not sent; check the clock",
    ),
    "gateway.epoch_renamed": (
        "纪元 {former} 已按服务器时间改名:无需处理",
        "The epoch {former} has a new name by the server's time: nothing to do",
    ),
    "gateway.clock_stepped": (
        "网关时钟按服务器校正 {ms} 毫秒:请检查本机对时",
        "The gateway's clock was set by {ms} ms to the server's: check its time service",
    ),
}

OPCUA: dict[str, Words] = {
    "opcua.line": (
        "OPC UA 服务器未连接({why}):持续重连,期间数据缺失",
        "The OPC UA server is not reached ({why}): trying again; what it has meanwhile is lost",
    ),
    "opcua.line_over": ("OPC UA 服务器已连接", "The OPC UA server is reached again"),
    "opcua.node": (
        "服务器不给节点 {node}({status}):请核对节点标识和权限",
        "The server refuses the node {node} ({status}): check the node id and the rights",
    ),
    "opcua.node_over": ("节点已可读", "The node is read again"),
    "opcua.clock_node": (
        "服务器不给时钟节点 {node}({status}):请核对 clock_node",
        "The server refuses the clock node {node} ({status}): check `clock_node`",
    ),
    "opcua.clock_node_over": ("时钟节点已可读", "The clock node is read again"),
    "opcua.number": (
        "节点的值不是数字({type}):不作为样本,请改映射",
        "The node's value is no number ({type}) and no sample: mend the mapping",
    ),
    "opcua.number_over": ("节点的值已是数字", "The node's value is a number again"),
    "opcua.stamp": (
        "回放源的值没有源时刻:不作为样本,请检查服务器",
        "A played value has no source time and is no sample: check the server",
    ),
    "opcua.stamp_over": ("源时刻已恢复", "The values have source times again"),
    "opcua.overflow": (
        "服务器队列溢出,其间数据已丢失并如实上报:请加大 queue 或减轻负荷",
        "The server's queue overflowed, that time is told as lost: raise `queue` or ease the load",
    ),
    "opcua.overflow_over": ("服务器队列不再溢出", "The server's queue overflows no more"),
    "opcua.behind": (
        "测点 {first} 的值晚到 {ms} 毫秒,作为更正发送:请加大 settle_ms",
        "A value of {first} came {ms} ms too late, sent as a correction: raise `settle_ms`",
    ),
    "opcua.behind_over": ("值不再晚到", "Values come in time again"),
}

GATEWAY: dict[str, Words] = {**ASKED, **OUTBOX, **GATEWAY_REPORTS, **OPCUA}
