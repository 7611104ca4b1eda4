"""What an account may be: every reason against it at once."""

from __future__ import annotations

import re
from typing import get_args

from meltwatch.errors import Problem
from meltwatch.register.account import DIGITS, OF_A_PLANT, Account, Role
from meltwatch.register.passwords import LEAST_LENGTH

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
LONGEST_NAME = 64
LONGEST_PASSWORD = 256


def problems_of(account: Account | None, password: str) -> list[Problem]:
    """Return what is wrong with an account (None: it is there already) and its password."""
    found = [] if account is None else _of_account(account)
    if not LEAST_LENGTH <= len(password) <= LONGEST_PASSWORD:
        told = {"least": LEAST_LENGTH, "most": LONGEST_PASSWORD}
        found.append(Problem("password", "account.password_length", {**told}))
    return found


def _of_account(account: Account) -> list[Problem]:
    found: list[Problem] = []
    if not LOGIN.fullmatch(account.login):
        found.append(Problem("login", "account.login", {"login": account.login}))
    if not 0 < len(account.name) <= LONGEST_NAME:
        found.append(Problem("name", "account.name", {"most": LONGEST_NAME}))
    if account.role not in get_args(Role):
        told = {"role": account.role, "known": ", ".join(get_args(Role))}
        return [*found, Problem("role", "account.role", {**told})]
    of_a_plant, digits = account.role in OF_A_PLANT, DIGITS.get(account.role)
    if of_a_plant and account.enterprise is None:
        found.append(Problem("enterprise", "account.enterprise_missing", {"role": account.role}))
    if not of_a_plant and account.enterprise is not None:
        found.append(Problem("enterprise", "account.enterprise_needless", {"role": account.role}))
    if digits is None and account.region is not None:
        found.append(Problem("region", "account.region_needless", {"role": account.role}))
    if digits is not None and not re.fullmatch(rf"[0-9]{{{digits}}}", account.region or ""):
        wanted = {"role": account.role, "digits": digits, "told": account.region or ""}
        found.append(Problem("region", "account.region", {**wanted}))
    return found
