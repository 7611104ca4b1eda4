"""Sentences for what the HTTP API says no with: each names the fix, the place is told beside it."""

from __future__ import annotations

from meltwatch.present.words_given import Words

WHO: dict[str, Words] = {
    "sign_in.needed": ("请先登录", "Sign in first"),
    "sign_in.refused": (
        "用户名或密码不正确:请重新输入",
        "Wrong login or password: enter them again",
    ),
    "sign_in.too_many": (
        "尝试次数过多:请在 {retry_after_s} 秒后再试",
        "Too many tries: try again in {retry_after_s} s",
    ),
    "right.missing": (
        "当前角色({role})无权进行此操作:可由 {allowed} 进行",
        "Your role ({role}) may not do this: it is for {allowed}",
    ),
    "right.header_missing": (
        "改变数据的请求须带请求头 {header}: 1",
        "A request that changes something needs the header {header}: 1",
    ),
}

WHAT: dict[str, Words] = {
    "plant.unknown": (
        "没有此企业,或不在您的管辖范围:请从列表中选择",
        "There is no such plant in your scope: choose one of the list",
    ),
    "trend.unreadable": (
        "历史数据读取失败({reason}):请检查服务器磁盘,稍后再试",
        "History cannot be read ({reason}): check the server's disk, then try again",
    ),
    "plant.not_told": (
        "尚未收到核心关于此企业的数据:请稍候重试,长时间如此请检查核心进程",
        "The core has not told of this plant yet: try again soon; if it stays so, check the core",
    ),
    "plant.unknown_point": (
        "此企业没有测点 {point}:请从企业的测点列表中选择",
        "The plant has no point {point}: choose one of its points",
    ),
    "trend.window": (
        "时间窗应为起点在前、不超过 {days} 天:请改 from 或 to",
        "The window must begin before it ends and last {days} days at most: change from or to",
    ),
    "trend.width": (
        "width 应在 1 与 {most} 之间",
        "width must lie between 1 and {most}",
    ),
    "history.many_points": (
        "一次至多 {most} 个测点:请分次查询",
        "{most} points at most in one request: ask in several",
    ),
    "trend.busy": (
        "趋势查询过多:请 {retry_after_s} 秒后重试",
        "Too many trends are asked for: try again in {retry_after_s} s",
    ),
    "stream.too_many": (
        "实时连接已达上限 {limit}:请关闭不用的页面后重试",
        "There are {limit} live streams already, the most allowed: close pages not in use",
    ),
    "screens.not_built": (
        "界面尚未构建:请先构建前端(make screens),接口在 /api",
        "The screens are not built: build them (make screens); the API is under /api",
    ),
}

HOW: dict[str, Words] = {
    "request.body_too_large": (
        "请求体超过 {limit} 字节:请缩短内容",
        "The body has more than {limit} bytes: shorten it",
    ),
    "request.not_json": (
        "请求体须为 JSON,请求头 Content-Type: application/json",
        "The body must be JSON, with the header Content-Type: application/json",
    ),
    "request.body_missing": ("缺少请求体:请发送 JSON", "The body is missing: send JSON"),
    "request.broken_json": ("不是有效的 JSON:{why}", "This is no JSON: {why}"),
    "request.field_missing": (
        "缺少字段 {field}:请填写",
        "The field {field} is missing: fill it in",
    ),
    "request.field_unknown": (
        "未知字段 {field}:请删除",
        "The field {field} is unknown: leave it out",
    ),
    "request.too_short": (
        "内容过短(至少 {least} 个字符):请填写",
        "Too short ({least} characters at least): fill it in",
    ),
    "request.too_long": (
        "内容过长(至多 {most} 个字符):请缩短",
        "Too long ({most} characters at most): shorten it",
    ),
    "request.wrong_type": (
        "类型应为 {expected},收到 {told}",
        "The type must be {expected}, this is {told}",
    ),
    "request.malformed": ("内容不符合格式:{why}", "The content does not fit: {why}"),
    "request.refused": ("请求不能受理(HTTP {status})", "The request is refused (HTTP {status})"),
    "server.fault": (
        "服务器内部错误,已记录:请重试,仍有问题请告知运维",
        "An error of ours, it has been logged: try again, and tell the operator if it stays",
    ),
}

API: dict[str, Words] = {**WHO, **WHAT, **HOW}
