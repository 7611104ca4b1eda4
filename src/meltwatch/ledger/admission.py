"""Which entries of a call are new, repeated, in conflict or behind a gap: the one rule, pure.

Every home asks here, inside its own lock or transaction, and then stores what it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from meltwatch.ledger.errors import MalformedEntry
from meltwatch.ledger.port import Appended, Conflict, Entry, Gap, Known, Outcome, Stored


class Held(NamedTuple):
    """Where a number is stored, and with which digest."""

    pos: int
    digest: bytes


class History(Protocol):
    """What a home knows of the past."""

    def last_seq(self, source: str) -> int:
        """Return the source's last stored number, 0 before any."""
        ...

    def held(self, source: str, seq: int) -> Held | None:
        """Return where the number is stored, None when retention has removed it."""
        ...


class Admission(msgspec.Struct, frozen=True):
    """What to store and what to answer; `clashes` pairs an entry with its rival's place."""

    outcomes: list[Outcome]
    accepted: list[Stored]
    clashes: list[tuple[Entry, int]]


def admit(entries: Sequence[Entry], history: History, end: int) -> Admission:
    """Judge the entries of one call; new ones get the positions behind `end` in their order."""
    for entry in entries:
        if not entry.source or entry.seq < 1:
            raise MalformedEntry(entry.source, entry.seq)
    last = {source: history.last_seq(source) for source in {entry.source for entry in entries}}
    gapped = _gapped(entries, last)
    tip = dict(last)
    fresh: dict[tuple[str, int], Held] = {}
    admission = Admission([], [], [])
    for entry in entries:
        source, seq = entry.source, entry.seq
        if source in gapped and seq > last[source]:
            admission.outcomes.append(Gap(last[source] + 1))
        elif seq > tip[source]:
            pos = end + len(admission.accepted) + 1
            tip[source], fresh[source, seq] = seq, Held(pos, entry.digest)
            admission.accepted.append(_at(entry, pos))
            admission.outcomes.append(Appended(pos))
        else:
            held = fresh.get((source, seq)) or history.held(source, seq)
            admission.outcomes.append(_repeated(entry, held, admission.clashes))
    return admission


def _gapped(entries: Sequence[Entry], last: dict[str, int]) -> set[str]:
    """Return the sources whose new entries do not follow one another from their last number."""
    tip = dict(last)
    gapped = set()
    for entry in entries:
        if entry.seq == tip[entry.source] + 1:
            tip[entry.source] = entry.seq
        elif entry.seq > tip[entry.source]:
            gapped.add(entry.source)
    return gapped


def _repeated(entry: Entry, held: Held | None, clashes: list[tuple[Entry, int]]) -> Outcome:
    if held is None:
        return Known(None)
    if held.digest == entry.digest:
        return Known(held.pos)
    clashes.append((entry, held.pos))
    return Conflict(held.pos, held.digest)


def _at(entry: Entry, pos: int) -> Stored:
    return Stored(
        source=entry.source,
        seq=entry.seq,
        data=entry.data,
        digest=entry.digest,
        received_at=entry.received_at,
        kind=entry.kind,
        pos=pos,
    )
