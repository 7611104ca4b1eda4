"""An order: a person's command on its way from the register's outbox to the core."""

from __future__ import annotations

import msgspec

from meltwatch.audit.chain import Head
from meltwatch.errors import Problem
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.log import AnyCommand


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A command in its turn: `seq` is dense within web's stream.

    `other`: the head of web's audit chain when the order was stored.
    """

    enterprise: EnterpriseId
    seq: int
    command: AnyCommand
    other: Head


class Obeyed(msgspec.Struct, frozen=True, kw_only=True):
    """The order is in the log; `problems` says why it was refused, empty: it was obeyed.

    `head`: the core's audit chain after it. The same order asked again gives the same answer.
    """

    seq: int
    problems: tuple[Problem, ...] = ()
    head: Head


class OutOfTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The core waits for another number of web's stream first."""

    expected: int
