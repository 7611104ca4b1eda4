"""Sentences for what is wrong with what people give: plants, nodes, stories, recordings, commands.

Each names the fix; the place is told beside it. Templates take the problem's params.
"""

from __future__ import annotations

Words = tuple[str, str]
"""(Chinese, English)."""

PLANT: dict[str, Words] = {
    "unknown_point": ("测点未登记", "There is no such point"),
    "unknown_condition": ("条件未定义:{condition}", "There is no such condition: {condition}"),
    "unknown_source": ("网关未登记:{source}", "There is no such gateway: {source}"),
    "source_needed": (
        "本企业有 {sources} 个网关:请写明 source",
        "The plant has {sources} gateways: name the one in `source`",
    ),
    "not_positive": ("应大于 0", "It must be above 0"),
    "negative": ("应为不小于 0 的数", "It must be 0 or more"),
    "not_finite": ("应为有限的数,现为 {value}", "It must be a finite number, it is {value}"),
    "range_reversed": (
        "量程下限应小于上限,且均为有限的数",
        "The range's lower end must be below its upper one, both finite",
    ),
    "empty_set": (
        "{point} 的取值集合为空,条件永不成立:请写明取值",
        "The set of values of {point} is empty and could never hold: name the values",
    ),
    "no_such_state": (
        "测点 {point} 没有状态 {value}:请按其 states 改写",
        "The point {point} has no state {value}: use one of its `states`",
    ),
    "no_name": (
        "名称只能用 A-Z a-z 0-9 . _ -,字母或数字开头",
        "A name is made of A-Z a-z 0-9 . _ -, a letter or digit first",
    ),
    "secret_too_short": (
        "共享密钥不足 {least} 个字符:请用 openssl rand -hex 32 生成",
        "The secret has fewer than {least} characters: make one by openssl rand -hex 32",
    ),
    "no_such_figure": (
        "条件没有数值字段 {field}",
        "The condition has no figure {field}",
    ),
    "vote_out_of_reach": (
        "m 为 {m},成员 {members} 个:m 应在 1 与成员数之间",
        "m is {m} of {members} members: it must lie between 1 and their number",
    ),
    "cycle": (
        "条件相互引用成环:{through}",
        "The conditions read each other in a circle: {through}",
    ),
    "interlock_as_member": (
        "联锁 {condition} 不能作为成员或原因",
        "The interlock {condition} can be neither a member nor a cause",
    ),
    "silent_never": (
        "测点 {point} 没有 stale_s,断数报警永不触发:请给测点设 stale_s",
        "The point {point} has no stale_s, so this could never be raised: give the point one",
    ),
    "offline_has_no_gate": (
        "离线报警不能带 when:闸门来自同一条线路",
        "offline takes no `when`: the gate would come over the very line that is down",
    ),
    "cause_without_off_delay": (
        "联锁的原因 {cause} 没有复归延时:请设 off_delay_s",
        "The cause {cause} has no off-delay: give it an off_delay_s",
    ),
    "within_not_below_off_delay": (
        "within_s {within_s} 应小于原因的复归延时 {off_delay_s}",
        "within_s {within_s} must be less than the cause's off-delay {off_delay_s}",
    ),
    "effect_closes_the_gate_of_its_cause": (
        "动作 {point} 会关闭 {gated} 的闸门,联锁失败将被掩盖:请改闸门或动作",
        "The effect {point} closes the gate of {gated} and would hide a failure: change either",
    ),
    "one_kind_of_key": (
        "请只写一种密钥:hmac_sm3 或 ed25519",
        "Give one kind of key: hmac_sm3 or ed25519",
    ),
    "key_id_taken": (
        "密钥标识 {id} 已被另一网关使用",
        "The key id {id} is already another gateway's",
    ),
}

FILE: dict[str, Words] = {
    "unreadable": ("文件无法读取:{why}", "The file cannot be read: {why}"),
    "malformed": ("内容不符合格式:{why}", "The content does not fit: {why}"),
    "zone_missing": (
        "起始时刻没有时区:形如 2026-03-01T08:00:00+08:00",
        "The start has no zone: write it like 2026-03-01T08:00:00+08:00",
    ),
    "too_short": ("周期不足 {least_s} 秒", "It is shorter than {least_s} s"),
    "not_ascending": ("路径应按时间先后写明", "The path must have entries, in ascending seconds"),
    "span_reversed": (
        "区间 {from}-{to} 应起点在前",
        "The span {from}-{to} must begin before it ends",
    ),
    "kill_outside": (
        "终止时刻 {at} 不在故事的 0 至 {until_s} 秒之内",
        "The kill at {at} lies outside the story's 0 to {until_s} s",
    ),
    "unknown_delivery": (
        "不识别的投递方式:可用 batches=N、shuffle、duplicate、kill=T",
        "Unknown way of delivery: there are batches=N, shuffle, duplicate, kill=T",
    ),
    "not_a_number": ("应为数字,现为 {value}", "It must be a number, it is {value}"),
}

COMMAND: dict[str, Words] = {
    "no_such_transition": ("当前状态不允许此操作", "Its present state does not allow this"),
    "unknown_occurrence": ("没有此报警:{id}", "There is no such occurrence: {id}"),
    "unknown_case": ("没有此处置单:{id}", "There is no such case: {id}"),
    "words_missing": ("请填写处理人和内容", "Who did it and what was done are missing"),
    "still_raised": (
        "{condition} 仍在报警,不能消警",
        "{condition} is still raised: the case cannot be closed",
    ),
    "already_open": ("隐患 {id} 已确认", "The hazard {id} is confirmed already"),
    "unknown_hazard": ("没有此隐患:{id}", "There is no such hazard: {id}"),
}

SOURCE: dict[str, Words] = {
    "node_id_malformed": (
        "{told} 不是 OPC UA 节点标识({why}):形如 ns=2;s=Well1.Flow",
        "{told} is no OPC UA node id ({why}): write it like ns=2;s=Well1.Flow",
    ),
    "recorded_needs_clock_node": (
        "回放源须有时钟节点:请写 clock_node",
        "A played source needs its clock node: give `clock_node`",
    ),
    "heartbeat_too_slow": (
        "心跳过慢:不得超过最短 stale_s 的三分之一,{most_s} 秒",
        "The heartbeat is too slow: a third of the least stale_s at most, {most_s} s",
    ),
    "shorter_than_two_keepalives": (
        "静默时限短于两次保活:请加大",
        "It is shorter than two keep-alives: make it longer",
    ),
}

SIMULATION: dict[str, Words] = {
    "not_at_this_plant": (
        "该模拟工厂({kind})没有此类事故",
        "This simulated plant ({kind}) has no such accident",
    ),
    "in_the_past": (
        "模拟已运行到 {reached_s} 秒:请把事故安排在其后",
        "The simulation has reached {reached_s} s: let the accident start later",
    ),
    "out_of_bounds": ("参数超出范围:{why}", "A parameter is out of bounds: {why}"),
}

STORE: dict[str, Words] = {
    "ledger.leftover_removed": (
        "清除了上次中断留下的空文件",
        "A file that a crash had left empty was removed",
    ),
    "ledger.index_rebuilt": (
        "索引不全,已自日志 {first} 起重建",
        "The index was not whole: rebuilt from the log at {first}",
    ),
    "ledger.index_behind": (
        "索引落后,已由 {applied} 追至 {end}",
        "The index was behind: brought from {applied} to {end}",
    ),
    "ledger.log_lost_tail": (
        "日志止于 {end},索引记到 {applied}:其间数据缺失,请查备份",
        "The log ends at {end}, the index knew {applied}: what lies between is lost, see a copy",
    ),
    "history.unregistered_removed": (
        "清除了未登记的段文件",
        "A segment that no catalogue knows was removed",
    ),
    "history.outside_its_hour": (
        "段中有样本不在其小时({hour})内",
        "The segment holds samples outside its hour ({hour})",
    ),
    "history.beyond_sealed": (
        "段超出已封存位置 {sealed_to}",
        "The segment goes beyond what is sealed, {sealed_to}",
    ),
    "history.segment_unreadable": ("段无法读取:{reason}", "The segment cannot be read: {reason}"),
    "history.file_digest_differs": (
        "文件摘要不符({bytes} 字节):请自备份恢复",
        "The file's digest differs ({bytes} bytes): restore it from a copy",
    ),
    "history.digest_differs": (
        "数据摘要不符({rows} 行):请自备份恢复",
        "The digest of its {rows} rows differs: restore it from a copy",
    ),
    "history.facts_differ": ("段的说明与目录不符", "The segment and the catalogue disagree"),
}

GIVEN: dict[str, Words] = {**PLANT, **FILE, **COMMAND, **SOURCE, **SIMULATION, **STORE}
