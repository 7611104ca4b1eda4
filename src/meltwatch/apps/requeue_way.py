"""The way of a requeueing from the command line: to the core that runs, else to the ledger itself.

The ledger's lock decides: while a core has it, only that core may write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from meltwatch.apps.core import Core
from meltwatch.apps.requeue import requeue
from meltwatch.apps.seal import LEDGER
from meltwatch.clock import SystemClock
from meltwatch.errors import Problem
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.ids import EnterpriseId
from meltwatch.present.live.core_line import CoreAway, OrderRefused, Requeue
from meltwatch.present.live.line import SocketLine

Refusals = list[tuple[int, Problem]]
"""The positions of frames that were refused, and why."""


def have_requeued(
    data: Path, enterprise: EnterpriseId, asked: Iterable[Requeue]
) -> tuple[int, Refusals]:
    """Have all of it requeued; return how many rows were, and what was refused.

    Raises InUse when a core has the ledger and does not answer, Unavailable.
    """
    waiting = list(asked)
    if not waiting:
        return 0, []
    try:
        return asyncio.run(_by_core(data, waiting))
    except CoreAway:
        return _by_ourselves(data, enterprise, waiting)


async def _by_core(data: Path, waiting: list[Requeue]) -> tuple[int, Refusals]:
    """Ask the running core, frame after frame; raises CoreAway if it does not answer at all."""
    done, refused = 0, Refusals()
    async with SocketLine(data) as line:
        for one in waiting:
            try:
                done += (await line.requeue(one)).rows
            except OrderRefused as error:
                refused.append((one.frame, error.problem))
            except CoreAway:
                if not done and not refused:
                    raise
                refused.append((one.frame, Problem("", "requeue.core_went_away")))
                break
    return done, refused


def _by_ourselves(
    data: Path, enterprise: EnterpriseId, waiting: list[Requeue]
) -> tuple[int, Refusals]:
    clock = SystemClock()
    done, refused = 0, Refusals()
    with closing(EmbeddedHome(data / LEDGER)) as home:
        core = Core(home, enterprise)
        for one in waiting:
            try:
                done += requeue(core, one, clock.wall_ms()).rows
            except OrderRefused as error:
                refused.append((one.frame, error.problem))
    return done, refused
