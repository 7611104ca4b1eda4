"""What web asks of core, over the local socket: to be told what is so, and to have orders obeyed.

A port: `apps` gives web the real line, tests of routes a scripted one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from meltwatch.audit.chain import Head
from meltwatch.errors import MeltwatchError, Problem
from meltwatch.model.ids import EnterpriseId
from meltwatch.present.live.picture import Told
from meltwatch.register.order import Obeyed, Order, OutOfTurn

__all__ = [
    "CoreAway",
    "CoreLine",
    "Found",
    "Obeyed",
    "Order",
    "OrderRefused",
    "OutOfTurn",
    "Requeue",
    "Requeued",
]


class CoreAway(MeltwatchError):
    """The core does not answer: what it was asked may or may not have been done; ask the same."""


class OrderRefused(MeltwatchError):
    """The order can never be logged as it is: tell the operator, and do not send it again.

    Another order has its number (web's outbox or the core's ledger was put back from a copy), or
    its enterprise is not this node's.
    """

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        self.problem = problem
        super().__init__(str(problem))


class Found(msgspec.Struct, frozen=True):
    """What is wrong with the node itself now, as the core knows it."""

    problems: tuple[Problem, ...] = ()


class Requeue(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the frame at a position that a person asks to be judged again.

    `round`: how often rows of this frame were requeued before, as the asker knows it: whoever was
    overtaken by another one looks again.
    """

    enterprise: EnterpriseId
    frame: int
    rows: tuple[int, ...]
    round: int
    who: str
    role: str
    node: str
    origin: str
    why: str


class Requeued(msgspec.Struct, frozen=True, kw_only=True):
    """So many rows are in the log as samples; `head`: the core's audit chain after it."""

    rows: int
    head: Head


class CoreLine(Protocol):
    """The line to the core."""

    def told(self) -> AsyncGenerator[Told, None]:
        """Yield a picture of every enterprise, then their deltas, for ever; close with `aclosing`.

        After a gap, or when the core has begun anew, pictures come again. Raises CoreAway when
        the line is cut.
        """
        ...

    async def obey(self, order: Order) -> Obeyed | OutOfTurn:
        """Have an order logged and obeyed; raises CoreAway, and OrderRefused."""
        ...

    async def findings(self) -> Found:
        """Ask what is wrong with the node itself; raises CoreAway."""
        ...
