"""People of the tests, and what they ask for."""

from __future__ import annotations

from meltwatch.model.ids import CommandId, EnterpriseId, OccurrenceId
from meltwatch.model.log import Acknowledge
from meltwatch.register.account import Account, Doer

NOW = 1_800_000_000_000
MINUTE = 60_000
PLANT = EnterpriseId("plant-1")
PASSWORD = "a long password"  # noqa: S105  # of nobody
LI = Account(login="li", name="李工", role="safety", enterprise=PLANT)
COUNTY = Account(login="county", name="县局", role="county", region="370881")
OPERATOR = Doer(who="root", role="operator", node="node-1", origin="terminal")


def acknowledge(number: int) -> Acknowledge:
    """Return one of many commands."""
    return Acknowledge(
        id=CommandId(f"command-{number}"),
        who="li",
        role="safety",
        node="node-1",
        origin="10.0.0.9",
        why="",
        occurrence=OccurrenceId(f"occurrence-{number}"),
    )
