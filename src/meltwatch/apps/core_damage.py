"""What a core has to say when its log has lost entries: never silently, and for a person to judge.

A lost frame leaves a hole in its source's time, which the journey treats as any hole: unknown, not
normal. But an alarm that was said and whose entries are gone would be missing from the state; it is
named here until a person has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from meltwatch.alarm.board import Board
from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.errors import Problem
from meltwatch.journey import Effect
from meltwatch.ledger.check import check_behind
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.port import Lost, Partition, Stored
from meltwatch.model.encoding import decode
from meltwatch.model.ids import EnterpriseId, OccurrenceId
from meltwatch.model.reason import Params

READ_AT_ONCE = 1_000


TOLD_AT_START = {"ledger.index_rebuilt", "ledger.log_lost_tail"}
"""What opening has put right and a person should know; the rest of it is every kill's leftover."""


class Judge(Protocol):
    """A core, as far as this asks it."""

    spoilt: dict[int, Problem]
    alarms_lost: tuple[Problem, ...]
    partition: Partition


def found_at_start(ledger: Path, home: EmbeddedHome, cores: Iterable[Judge]) -> list[Problem]:
    """Return what opening has found: what was put right, what is missing since a checkpoint."""
    after = max((one.partition.needed_after() for one in cores), default=0)
    healed = [one for one in home.stream.healed if one.key in TOLD_AT_START]
    return [*home.stream.set_aside, *healed, *check_behind(ledger, after)]


def found_in(home: EmbeddedHome, cores: Iterable[Judge]) -> list[Problem]:
    """Return what has been met in the log since and could not be used."""
    told = list(entries_lost(home.stream.damage()))
    for one in cores:
        told += [*one.spoilt.values(), *one.alarms_lost]
    return told


def entries_lost(lost: Iterable[Lost]) -> Iterator[Problem]:
    """Yield the finding of each run of entries that cannot be read."""
    for one in lost:
        told: Params = {
            "first": one.first,
            "last": one.last,
            "sources": "; ".join(one.sources) or "?",
        }
        yield Problem(f"{one.file} {one.first}-{one.last}", "ledger.entries_lost", told)


def entry_spoilt(enterprise: EnterpriseId, stored: Stored) -> Problem:
    """Return the finding of an entry whose bytes are not those that were stored."""
    told: Params = {"pos": stored.pos, "source": stored.source, "seq": stored.seq}
    return Problem(f"{enterprise} {stored.pos}", "ledger.entry_spoilt", told)


def alarms_lost(
    partition: Partition, checkpoint: int, committed: int, board: Board
) -> tuple[Problem, ...]:
    """Return what was said behind a checkpoint, is not settled, and is not on the board."""
    said: dict[OccurrenceId, Occurrence] = {}
    after = 0
    while effects := partition.effects(after, READ_AT_ONCE):
        after = effects[-1].id
        for one in effects:
            if checkpoint < one.pos <= committed:
                effect = decode(one.data, Effect)
                if isinstance(effect, AlarmEvent):
                    said[effect.occurrence.id] = effect.occurrence
    return tuple(
        Problem(
            f"{one.condition} {one.raised}",
            "ledger.alarm_lost",
            {"condition": one.condition, "raised": one.raised, "occurrence": which},
        )
        for which, one in said.items()
        if not one.settled and which not in board.occurrences
    )
