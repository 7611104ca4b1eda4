"""A person as the node knows them: role and scope."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["shift", "safety", "automation", "county", "city", "province", "ministry", "admin"]
"""值班 安全员 自动化 | 县 市 省 部 | 管理员 of the node."""

OF_A_PLANT: frozenset[Role] = frozenset({"shift", "safety", "automation"})
DIGITS: dict[Role, int] = {"county": 6, "city": 4, "province": 2}
"""How many digits of GB/T 2260 say the region of an officer."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person: role, and the scope it reaches over: an enterprise, or a region and all below.

    `ministry` and `admin` have neither: they reach over all.
    """

    login: str
    name: str
    role: Role
    enterprise: str | None = None
    region: str | None = None


class Doer(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes an account: for the audit row."""

    who: str
    role: str
    node: str
    origin: str
    why: str = ""
