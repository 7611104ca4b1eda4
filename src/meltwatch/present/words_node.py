"""Sentences for a node's file and its templates, and for what keeps a node from starting.

Each names the fix; the place is told beside it. Templates take the problem's params.
"""

from __future__ import annotations

from meltwatch.present.words_given import Words

NODE_FILE: dict[str, Words] = {
    "no_enterprise": ("没有企业:请至少写一家", "There is no enterprise: name one at least"),
    "no_region": (
        "{told} 不是行政区划代码:应为加引号的六位数字(GB/T 2260)",
        "{told} is no region: six digits in quotes (GB/T 2260)",
    ),
    "gateway_taken": (
        "网关名已被企业 {enterprise} 使用:全节点内不得重名,请改名",
        "The gateway's name is used by {enterprise}: give another, unique over the node",
    ),
    "gateway_without_offline": (
        "没有条件监视此网关,断线不会报警:请在其装置的模板中加 {{kind: offline, level: 2}}",
        "Nothing watches it: add {{kind: offline, level: 2}} to the template of one of its units",
    ),
    "not_in_a_template": (
        "模板中的 {field} 不起作用:请写在节点文件(网关 offline_s、企业 grace_s、装置 gateway)",
        "{field} does nothing in a template: it belongs in the node's file, {at}",
    ),
    "template_of_another_module": (
        "模板属于 {told},企业属于 {wanted}:请换模板或改企业的 module",
        "The template is of {told}, the enterprise of {wanted}: use another template or module",
    ),
    "name_of_nothing": (
        "模板中没有此测点、条件或状态:请改正名称或删除",
        "The template has no such point, condition or state: mend the name or leave it out",
    ),
    "named_twice": (
        "同一名称在另一模板中写作「{zh}」:一家企业内须一致",
        "Another template words this name as “{zh}”: within an enterprise they must agree",
    ),
}

NODE_START: dict[str, Words] = {
    "gateway_moved": (
        "网关的数据属于企业 {held},节点文件写的是 {told}:请换网关名或改回企业",
        "This gateway's data are of {held}, the node's file says {told}: give it another name",
    ),
}

REFUSED_START: dict[str, Words] = {
    "ledger.in_use": (
        "另一个核心进程正在使用此数据目录:请先停止它",
        "Another core uses this data directory: stop it first",
    ),
    "ledger.damaged": (
        "文件已损坏({reason}):请保留原件,自备份恢复",
        "The file is damaged ({reason}): keep it aside and restore it from a copy",
    ),
    "ledger.unknown_format": (
        "文件格式为 {found},本程序识别 {known}:请换用写它的版本,勿改动文件",
        "The file's format is {found}, this program reads {known}: run the version that wrote it",
    ),
    "ledger.unknown_encoding": (
        "存储内容无法识别({reason}):请换用写它的版本,或自备份恢复",
        "What is stored cannot be read ({reason}): run the version that wrote it, or restore it",
    ),
    "ledger.unavailable": (
        "存储不可用({reason}):请检查磁盘空间和权限后再启动",
        "The store is unavailable ({reason}): make room or mend the rights, then start again",
    ),
    "port_taken": (
        "端口 {port} 已被占用:请停止占用者或换端口(--port)",
        "Port {port} is in use: stop whoever has it, or choose another by --port",
    ),
    "address_unusable": (
        "无法在此地址监听({why}):请核对 --host 和 --port",
        "This address cannot be listened on ({why}): check --host and --port",
    ),
    "socket_place_not_ours": (
        "此目录不属于本用户或他人可进入:请删除它",
        "This directory is not ours alone: remove it",
    ),
    "socket_place_taken": (
        "此处已有文件且不是套接字:请移走它",
        "A file that is no socket is in its place: move it away",
    ),
    "socket_unusable": (
        "无法建立本地套接字({why}):请检查目录权限",
        "The local socket cannot be made ({why}): check the directory's rights",
    ),
}

ORDER: dict[str, Words] = {
    "demo.directory_used": (
        "该目录非空,可能正有一个演示在用:请另选空目录",
        "The directory is not empty, a demonstration may be using it: choose an empty one",
    ),
    "demo.directory_unusable": (
        "目录不能使用({why}):请另选",
        "The directory cannot be used ({why}): choose another one",
    ),
    "history.stopped": (
        "历史封存已停止({reason}):其他企业不受影响;请修复后重启封存进程",
        "Its history is sealed no more ({reason}): the others go on; mend it, restart the sealer",
    ),
    "order.conflict": (
        "指令序号 {seq} 在核心进程已被另一内容占用:web 或核心的数据可能来自旧备份,请人工核对",
        "The core holds another order under {seq}: was web's or the core's data put back? Look",
    ),
    "order.no_enterprise": (
        "企业 {enterprise} 不在本节点:请核对节点文件",
        "The enterprise {enterprise} is not this node's: check the node's file",
    ),
    "order.malformed": (
        "指令无法识别({why}):web 与核心的版本可能不同",
        "The order cannot be read ({why}): web and core may be of different versions",
    ),
}

NODE: dict[str, Words] = {**NODE_FILE, **NODE_START, **REFUSED_START, **ORDER}
