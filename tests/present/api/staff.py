"""Who may sign in on the stage: one of each role, and some whose scope is elsewhere."""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from meltwatch.register.account import Account, Doer
from meltwatch.register.register import Register
from tests.present.api.plants import CAST, NOW, STEEL

PASSWORD = "a long password"  # noqa: S105  # of nobody
BY = Doer(who="test", role="operator", node="county", origin="test")

HERE = (
    Account(login="shift", name="值班", role="shift", enterprise=CAST),
    Account(login="safety", name="安全员", role="safety", enterprise=CAST),
    Account(login="automation", name="自动化", role="automation", enterprise=CAST),
    Account(login="county", name="县局", role="county", region="370899"),
    Account(login="city", name="市局", role="city", region="3708"),
    Account(login="province", name="省厅", role="province", region="37"),
    Account(login="ministry", name="部", role="ministry"),
    Account(login="admin", name="管理员", role="admin"),
)
"""Everybody whose scope holds the casting works."""
ELSEWHERE = (
    Account(login="shift-2", name="值班", role="shift", enterprise=STEEL),
    Account(login="safety-2", name="安全员", role="safety", enterprise=STEEL),
    Account(login="automation-2", name="自动化", role="automation", enterprise=STEEL),
    Account(login="county-2", name="县局", role="county", region="130200"),
    Account(login="city-2", name="市局", role="city", region="3709"),
    Account(login="province-2", name="省厅", role="province", region="13"),
)
"""Everybody whose scope does not."""


def register_with(path: Path) -> Register:
    """Return a register in which they all may sign in; one that is there is opened as it is."""
    if not path.exists():
        path.write_bytes(_made())
    return Register.open(path, "county")


@cache
def _made() -> bytes:
    """Make the register once: a password takes a while to hash, as it should."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "register.db"
        with closing(Register.open(path, "county")) as register:
            for account in (*HERE, *ELSEWHERE):
                register.add_account(account, PASSWORD, BY, NOW)
        return path.read_bytes()
