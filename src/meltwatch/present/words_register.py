"""Sentences of the register: accounts."""

from __future__ import annotations

from meltwatch.present.words_given import Words

REGISTER: dict[str, Words] = {
    "register.unavailable": (
        "登记库不能使用({reason}):请检查磁盘,或用备份恢复该文件",
        "The register cannot be used ({reason}): check the disk, or restore the file from a copy",
    ),
    "register.missing": (
        "没有这个登记库:请检查 --data,或先用 account add 添加一人",
        "There is no such register: check --data, or add a person first",
    ),
    "account.login": (
        "账号 {login} 无效:请用字母、数字和 . _ @ -,最多 64 个",
        "The login {login} will not do: letters, digits and . _ @ -, 64 at most",
    ),
    "account.taken": ("账号 {login} 已存在", "The login {login} is taken"),
    "account.unknown": ("没有账号 {login}", "There is no account {login}"),
    "account.name": (
        "请填写姓名,最多 {most} 字",
        "Give the person's name, {most} characters at most",
    ),
    "account.role": ("没有角色 {role}:可用 {known}", "There is no role {role}: use one of {known}"),
    "account.enterprise_missing": (
        "角色 {role} 属于一家企业:请给出 enterprise",
        "The role {role} belongs to a plant: name the enterprise",
    ),
    "account.enterprise_needless": (
        "角色 {role} 不属于某一企业:请去掉 enterprise",
        "The role {role} belongs to no plant: leave the enterprise out",
    ),
    "account.region_needless": (
        "角色 {role} 没有辖区:请去掉 region",
        "The role {role} has no region: leave it out",
    ),
    "account.region": (
        "角色 {role} 的辖区应为 {digits} 位区划代码(GB/T 2260),而不是 {told}",
        "The region of {role} is {digits} digits (GB/T 2260), not {told}",
    ),
    "account.no_terminal": (
        "没有终端可输入密码:请用 --password-stdin",
        "There is no terminal to ask for a password: use --password-stdin",
    ),
    "account.passwords_differ": ("两次输入的密码不同", "The two passwords differ"),
    "account.password_length": (
        "密码长度应为 {least} 至 {most} 个字符(本项目默认)",
        "A password has {least} to {most} characters (this project's own default)",
    ),
}
