"""Sentences for what `meltwatch play` finds wrong: arguments, mapping files, recorded files.

Each names the fix; the place is told beside it. Templates take the problem's params.
"""

from __future__ import annotations

from meltwatch.present.words_given import Words

ASKED: dict[str, Words] = {
    "play.at": (
        "{told} 不是时刻:形如 2024-08-01T08:00:00+08:00",
        "{told} is no instant: write it like 2024-08-01T08:00:00+08:00",
    ),
    "play.at_wanted": (
        "文件只有相对秒数:请用 --at 给出首行时刻",
        "The file counts seconds from its beginning: say when that was with --at",
    ),
    "play.to": (
        "{told} 不是地址:形如 http://127.0.0.1:8701",
        "{told} is no address: write it like http://127.0.0.1:8701",
    ),
    "play.gateway": (
        "{told} 不是网关名:1 至 64 个 A-Z a-z 0-9 . _ -,以字母或数字开头",
        "{told} is no gateway: 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first",
    ),
    "play.key_id": (
        "{told} 不是密钥标识:只能用可见 ASCII 字符",
        "{told} is no key id: visible ASCII characters only",
    ),
    "play.secret": (
        "密钥为空:请给出网关密钥的文本",
        "The secret is empty: give that of the gateway's key",
    ),
}

MAPPING: dict[str, Words] = {
    "play.no_points": (
        "没有测点对应的列:请加 装置/测点: 列名",
        "No point has a column: add `unit/name: column`",
    ),
    "play.separator": (
        "{told} 不是分隔符:一个字符,或 tab",
        "{told} is no separator: one character, or tab",
    ),
    "play.decimal": (
        "{told} 不是小数点:用 . 或 ,,且不同于分隔符",
        "{told} is no decimal mark: . or , and not the separator",
    ),
    "play.encoding": (
        "{told} 不是文本编码:例如 utf-8、gb18030",
        "{told} is no encoding: utf-8 or gb18030, say",
    ),
    "play.zone": (
        "{told} 不是时区:例如 Asia/Shanghai,或 '+08:00'",
        "{told} is no zone: a name such as Asia/Shanghai, or an offset such as '+08:00'",
    ),
    "play.format": (
        "{told} 不是时间格式:iso、unix_s、unix_ms、seconds,或含 % 的样式",
        "{told} is no format: iso, unix_s, unix_ms, seconds, or a pattern with %",
    ),
}

FILE: dict[str, Words] = {
    "play.no_rows": ("文件没有数据行", "The file has no rows"),
    "play.no_such_file": ("没有此文件", "There is no such file"),
    "play.column_unknown": (
        "文件首行没有此列,现有 {is}:请改映射文件",
        "The file's head has no such column, it has {is}: mend the mapping",
    ),
    "play.column_twice": (
        "文件首行此列多于一个:请在文件中改名",
        "The file's head has this column more than once: rename one in the file",
    ),
    "play.file_changed": (
        "文件在播放中被改动:请重新播放",
        "The file was changed while it was played: play it anew",
    ),
    "play.row_too_long": (
        "{count} 行未播放:单元格多于首行(引号?小数点?)",
        "{count} left out: more cells than the head has (quotes? decimal mark?)",
    ),
    "play.time_missing": ("{count} 行未播放:没有时刻", "{count} left out: no instant"),
    "play.time_unreadable": (
        "{count} 行未播放:时刻不符合映射的格式,例如 {told}",
        "{count} left out: no instant in the mapping's format, as in {told}",
    ),
    "play.cell_missing": ("{count} 个值缺失,未播放", "{count} left out: no value"),
    "play.cell_unreadable": (
        "{count} 个值不是数字,未播放,例如 {told}",
        "{count} left out: no number, as in {told}",
    ),
    "play.correction": (
        "晚于第 {ahead} 行到来而时刻更早:{count} 行作为更正发送",
        "It came too late, row {ahead} is newer: {count} such sent as corrections",
    ),
    "play.quarantined": (
        "{count} 行进入隔离区({reason}):原因见 docs/formats/frame.md,请改映射或测点",
        "{count} in quarantine ({reason}): docs/formats/frame.md says why; mend mapping or point",
    ),
}

PLAY: dict[str, Words] = {**ASKED, **MAPPING, **FILE}
