"""Sentences for the keys of problems, in Chinese and English: each names the place and the fix.

Templates take the problem's params. A key without words is shown as it is, and a test fails.
"""

from __future__ import annotations

from meltwatch.errors import Problem
from meltwatch.present.words_api import API
from meltwatch.present.words_audit import AUDIT
from meltwatch.present.words_gateway import GATEWAY
from meltwatch.present.words_given import GIVEN, Words
from meltwatch.present.words_ledger import LEDGER
from meltwatch.present.words_node import NODE
from meltwatch.present.words_play import PLAY
from meltwatch.present.words_register import REGISTER

FRAME: dict[str, Words] = {
    "frame.body_too_large": (
        "帧体 {bytes} 字节,上限 {limit}:请减小每帧行数",
        "The body has {bytes} bytes, {limit} at most: send smaller frames",
    ),
    "frame.too_many_rows": (
        "帧内 {rows} 行,上限 {limit}:请减小每帧行数",
        "The frame has {rows} rows, {limit} at most: send smaller frames",
    ),
    "frame.key_missing": (
        "缺少密钥标识:请加请求头 Meltwatch-Key",
        "No key id: add the header Meltwatch-Key",
    ),
    "frame.key_unknown": (
        "密钥标识 {key} 未登记:请核对网关的密钥",
        "The key id {key} is not registered: check the gateway's key",
    ),
    "frame.signature_missing": (
        "缺少签名:请加请求头 Meltwatch-Signature",
        "No signature: add the header Meltwatch-Signature",
    ),
    "frame.signature_malformed": (
        "签名应为 {expected} 位十六进制数字",
        "The signature must be {expected} hexadecimal digits",
    ),
    "frame.signature_wrong": (
        "签名与密钥 {key} 不符:签名须覆盖请求体的原始字节",
        "The signature does not fit key {key}: sign the exact bytes of the body",
    ),
    "frame.gateway_unknown": (
        "网关 {gateway} 未配置:请先登记",
        "The gateway {gateway} is not configured: register it first",
    ),
    "frame.key_of_another": (
        "密钥 {key} 不属于网关 {gateway}",
        "The key {key} does not speak for the gateway {gateway}",
    ),
    "frame.json_broken": (
        "不是有效的 UTF-8 JSON,位置 {position} 处出错",
        "This is no JSON in UTF-8: it breaks at position {position}",
    ),
    "frame.json_too_deep": (
        "JSON 嵌套超过 {limit} 层",
        "The JSON nests deeper than {limit}",
    ),
    "frame.not_an_object": (
        "请求体应为 JSON 对象,收到 {told}",
        "The body must be a JSON object, this is {told}",
    ),
    "frame.field_missing": ("缺少字段", "The field is missing"),
    "frame.field_unknown": ("未知字段:请删除", "The field is unknown: leave it out"),
    "frame.field_type": (
        "字段类型应为 {expected},收到 {told}",
        "The field must be of type {expected}, this is {told}",
    ),
    "frame.version_unknown": (
        "格式版本 {version} 未知,本程序识别 {known}",
        "The format's version {version} is unknown, this program reads {known}",
    ),
    "frame.seq_below_one": ("序号 {seq} 小于 1", "The number {seq} is below 1"),
    "frame.interval_reversed": (
        "区间终点 {to} 早于起点 {from}",
        "The interval ends at {to}, before its start {from}",
    ),
    "frame.inflated_too_large": (
        "解压后超过 {limit} 字节:请发较小的帧",
        "Decompressed it is more than {limit} bytes: send smaller frames",
    ),
    "frame.encoding_broken": (
        "不是完整的单个 {encoding} 数据:请检查压缩程序,或不压缩",
        "This is not one whole piece of {encoding}: check what compresses it, or send it bare",
    ),
    "frame.encoding_unknown": (
        "不识别压缩方式 {told}:请用 {known} 或不压缩",
        "The encoding {told} is not known: use {known}, or none",
    ),
    "frame.layout_unknown": (
        "未登记测点表 {layout}:请先 POST /v1/layouts,再原样重发",
        "No list of points {layout} is known: POST it to /v1/layouts, send the same again",
    ),
    "frame.columns_uneven": (
        "该列 {told} 个值,at 列 {rows} 个:各列须等长",
        "The column has {told} cells, `at` has {rows}: all must have as many",
    ),
    "frame.points_and_layout": (
        "points 与 layout 只能写一个",
        "Give `points` or `layout`, not both",
    ),
    "frame.arrow_broken": (
        "不是只含一个未压缩批次的 Arrow IPC 流({why}):请检查编码程序",
        "This is no Arrow IPC stream of one batch, bare within ({why}): check what writes it",
    ),
    "frame.arrow_columns": (
        "列名或类型不符({told}):请按 docs/formats/frame.md",
        "Columns or their types are not as agreed ({told}): see docs/formats/frame.md",
    ),
    "layout.malformed": ("测点表不符格式({why})", "The list of points is malformed ({why})"),
    "layout.point_twice": ("同一测点出现两次:请去重", "A point stands there twice: name it once"),
    "frame.body_slow": (
        "{seconds} 秒内只收到 {bytes} 字节:请检查线路后原样重发",
        "Only {bytes} bytes came within {seconds} s: check the line, send the same again",
    ),
    "frame.epoch_ahead": (
        "纪元起点比服务器超前 {ahead_ms} 毫秒(限 {limit_ms}):请按 server_time 校时后另开纪元",
        "The epoch starts {ahead_ms} ms ahead ({limit_ms} at most): set the clock, open another",
    ),
    "frame.complete_to_ahead": (
        "完整时刻超前服务器 {ahead_ms} 毫秒(上限 {limit_ms}):请校准网关时钟",
        "complete_to is {ahead_ms} ms ahead of the server ({limit_ms} at most): set the clock",
    ),
    "frame.lost_ahead": (
        "声明丢失的区间超前服务器 {ahead_ms} 毫秒(上限 {limit_ms}):请校准网关时钟",
        "A lost interval is {ahead_ms} ms ahead of the server ({limit_ms} at most): set the clock",
    ),
    "frame.gap": ("序号有缺口:请从 {expected} 续传", "Numbers are missing: resume at {expected}"),
    "frame.conflict": (
        "序号 {seq} 已被另一内容占用:已隔离并报警,请停用该纪元",
        "The number {seq} is taken by other content: kept aside and alarmed; stop this epoch",
    ),
    "frame.busy": (
        "服务器繁忙:{after_ms} 毫秒后重发原帧",
        "Busy: send the same again in {after_ms} ms",
    ),
    "frame.unavailable": (
        "存储暂不可用,结果未知:请稍后重发原帧",
        "The store is unavailable, the outcome unknown: send the same again later",
    ),
    "frame.no_room": (
        "磁盘仅剩 {free_mib} MiB(低于 {floor_mib} MiB 停收):请腾出空间;{after_s} 秒后重发原帧",
        "{free_mib} MiB of disk are left, frames need {floor_mib}: make room; again in {after_s} s",
    ),
}

ROW: dict[str, Words] = {
    "row.shape": (
        "行应为 [测点, 时刻, 值, 质量?, 单位?],收到 {told}",
        "A row is [point, at, value, quality?, unit?], this is {told}",
    ),
    "row.unknown_point": ("测点 {told} 未登记", "The point {told} is unknown"),
    "row.foreign_point": (
        "测点 {point} 属于网关 {source}",
        "The point {point} belongs to the gateway {source}",
    ),
    "row.at_not_an_instant": (
        "时刻应为毫秒整数(UTC),收到 {told}",
        "The instant must be whole milliseconds (UTC), this is {told}",
    ),
    "row.at_ahead": (
        "时刻超前服务器 {ahead_ms} 毫秒(上限 {limit_ms})",
        "The instant is {ahead_ms} ms ahead of the server ({limit_ms} at most)",
    ),
    "row.value_not_a_number": (
        "值应为数字,收到 {told}",
        "The value must be a number, this is {told}",
    ),
    "row.value_nan": ("值为 NaN", "The value is NaN"),
    "row.value_infinite": ("值为无穷大", "The value is infinite"),
    "row.quality_unknown": ("质量位 {told} 未知", "The quality bits {told} are unknown"),
    "row.test_in_real_frame": (
        "真实帧内有测试标记的行:请用 mark=test 的帧",
        "A test row in a real frame: use a frame with mark=test",
    ),
    "row.unit_mismatch": (
        "单位 {told} 与测点单位 {expected} 不符",
        "The unit {told} is not the point's, {expected}",
    ),
    "row.source_at_not_an_instant": (
        "源时刻 {told} 不是毫秒整数:请写整数或 null",
        "The source time {told} is no instant: whole ms, or null",
    ),
}

SESSION: dict[str, Words] = {
    "session.unavailable": (
        "服务器无有效应答({reason}):将重发原帧,数据保存在网关",
        "The server does not answer as such ({reason}): the same is sent again, nothing is lost",
    ),
    "session.answer_stalls": (
        "已发序号 {sent},服务器应答仍为 {told}:请检查服务器",
        "Number {sent} was sent, the server still answers {told}: check the server",
    ),
    "session.refused": (
        "服务器拒收({reason}):请按原因处理,数据保存在网关",
        "The server refuses the frame ({reason}): mend what it names; the gateway keeps the data",
    ),
    "session.server_ahead": (
        "服务器已有序号 {told},网关仅存 {first} 至 {through}:请停用该纪元并核对网关",
        "The server has {told}, the gateway {first} to {through}: stop this epoch, check both",
    ),
    "session.server_behind": (
        "服务器仅有至序号 {told},网关仅存 {first} 至 {through}:其间各帧已缺失,请核对服务器数据",
        "The server has {told}, the gateway {first} to {through}: frames between are missing",
    ),
    "session.conflict": (
        "序号 {seq} 在服务器上已被另一内容占用:该纪元已停发,请人工核对",
        "The server holds other content under number {seq}: this epoch is stopped, look into it",
    ),
    "session.recovered": ("传输已恢复", "The line is well again"),
}

SERVER: dict[str, Words] = {
    "route.unknown": ("没有此地址", "There is no such address"),
    "route.method": ("此地址只接受 {allowed}", "This address takes {allowed} only"),
}

ALL: dict[str, Words] = {
    **API,
    **FRAME,
    **ROW,
    **SESSION,
    **SERVER,
    **GIVEN,
    **PLAY,
    **REGISTER,
    **GATEWAY,
    **NODE,
    **LEDGER,
    **AUDIT,
}


def words_of(problem: Problem) -> Words:
    """Return the problem's sentences, params filled in; the bare key where there are none."""
    chinese, english = ALL.get(problem.key, (problem.key, problem.key))
    params = {name: str(value) for name, value in problem.params.items()}
    try:
        return chinese.format_map(params), english.format_map(params)
    except KeyError:
        return problem.key, problem.key
