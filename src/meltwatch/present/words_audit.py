"""Sentences for what is wrong with an audit chain. Templates take the problem's params."""

from __future__ import annotations

from meltwatch.present.words_given import Words

AUDIT: dict[str, Words] = {
    "audit.out_of_place": (
        "此处应为第 {expected} 行:有审计记录被删除、插入或调换",
        "Row {expected} should stand here: rows were removed, added or swapped",
    ),
    "audit.chain_broken": (
        "与第 {before} 行的哈希不衔接:该行或本行已被改写",
        "It does not follow the hash of row {before}: that row or this one was written anew",
    ),
    "audit.row_changed": (
        "内容与本行哈希不符:本行已被改动",
        "The row does not fit its own hash: it was changed",
    ),
    "audit.row_spoiled": (
        "存储的字节已不是本行的记录:已被改动或损坏",
        "The stored bytes are no longer this row: they were changed or damaged",
    ),
    "audit.not_the_known_head": (
        "现有至第 {rows} 行的链中没有这个已知链头:链被截断或重做",
        "The chain, now up to row {rows}, lacks this known head: it was cut or made anew",
    ),
    "audit.chain_cut": (
        "{told_by} 记有此链头,而该链现仅至第 {rows} 行:链尾或整个文件已被删除",
        "{told_by} tells of this head, the chain now ends at row {rows}: its end or file is gone",
    ),
    "audit.anchor_loose": (
        "本行记下的 {chain} 链第 {number} 行,在该链中已不是原来那一行:其中一条链被改写",
        "Row {number} of the chain {chain} is not the one this row tells of: one was made anew",
    ),
    "audit.no_ledger": (
        "此处没有台账:请写节点的数据目录",
        "There is no ledger here: name the node's data directory",
    ),
    "audit.unreadable": (
        "审计链无法读取({reason}):请先核查磁盘,再从备份恢复",
        "The chain cannot be read ({reason}): look at the disk, then restore it from a copy",
    ),
    "audit.head_malformed": (
        "{told} 不是链头:请照 verify 打印的样子写,形如 core/12/(64 位十六进制数字)",
        "{told} is no head: write it as verify prints it, core/12/ and 64 hexadecimal digits",
    ),
}
