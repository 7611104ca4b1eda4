"""What an outbox drops when it is full or old, and what stands in for it.

The oldest frames go first. Their numbers are kept as runs of one mark (table `dropped`), each with
the interval and the losses that its first number will tell; the frames that stand in are made when
their turn to be sent comes (`Outbox.unsent`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from meltwatch.model.ids import EpochId
from meltwatch.model.log import Interval, Mark

DAY_MS = 86_400_000
_AT_ONCE = 1_000
"""So many frames go at one put at most, that a bound made smaller does not hold up the gateway."""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept: bytes of frames, and their age in the outbox's own time, ms."""

    bytes: int = 2 * 1024**3
    age_ms: int = 7 * DAY_MS


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """What a put drove out: so many frames of an epoch, and what will be told as lost."""

    epoch: EpochId
    frames: int
    lost: tuple[Interval, ...]


class Number(NamedTuple):
    """A dropped frame's number: the mark and the interval of its run, and what is lost with it."""

    mark: Mark
    complete_from: int
    complete_to: int
    lost: tuple[Interval, ...]


class _Frame(NamedTuple):
    """A frame's row without its body."""

    id: int
    filed: str
    seq: int
    mark: str
    complete_from: int
    complete_to: int
    lost: str
    stored_ms: int
    bytes: int
    epoch: str


_OLDEST = """\
SELECT f.id, f.epoch, f.seq, f.mark, f.complete_from, f.complete_to, f.lost, f.stored_ms, f.bytes,
    e.epoch
FROM epochs e JOIN frames f
    ON f.epoch = e.filed AND f.seq > iif(e.aside, 0, max(e.forgotten + 1, e.tried))
ORDER BY e.epoch, f.seq LIMIT 1
"""


def make_room(
    file: sqlite3.Connection, bound: Bound, newest: tuple[str, int], clock: int
) -> tuple[Dropped, ...]:
    """Drop the oldest frames that were never sent until the rest is within the bound.

    `newest`: the frame that was put just now, as it is filed: it stays. `clock`: the outbox's own
    time, ms.
    """
    gone: dict[EpochId, list[_Frame]] = {}
    (held,) = file.execute("SELECT bytes FROM outbox").fetchone()
    for _ in range(_AT_ONCE):
        row = file.execute(_OLDEST).fetchone()
        oldest = None if row is None else _Frame(*row)
        if oldest is None or (oldest.filed, oldest.seq) == newest:
            break
        if held <= bound.bytes and clock - oldest.stored_ms <= bound.age_ms:
            break
        held -= oldest.bytes
        file.execute("DELETE FROM frames WHERE id = ?", (oldest.id,))
        _mark_dropped(file, oldest)
        gone.setdefault(EpochId(oldest.epoch), []).append(oldest)
    if gone:
        file.execute("UPDATE outbox SET bytes = ?", (held,))
    return tuple(
        Dropped(epoch=epoch, frames=len(frames), lost=merged(_lost_of(frames)))
        for epoch, frames in gone.items()
    )


def take_number(file: sqlite3.Connection, epoch: str, seq: int) -> Number | None:
    """Take a dropped frame's number out of its run; None when it is in none.

    `epoch`: the name under which its frames are filed.
    It has to tell what the run has lost; the run's other numbers then have nothing to tell.
    """
    row = file.execute(
        "SELECT first, last, mark, complete_from, complete_to, lost FROM dropped"
        " WHERE epoch = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        (epoch, seq),
    ).fetchone()
    if row is None or row[1] < seq:
        return None
    first, last, mark, start, end, lost = row
    file.execute("DELETE FROM dropped WHERE epoch = ? AND first = ?", (epoch, first))
    for begins, ends, at in ((first, seq - 1, start), (seq + 1, last, end)):
        if begins <= ends:
            told = (epoch, begins, ends, mark, at, at, "[]")
            file.execute("INSERT INTO dropped VALUES (?, ?, ?, ?, ?, ?, ?)", told)
    return Number(mark, start, end, _intervals(lost))


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the intervals `(from, to]` in order, touching ones joined, empty ones left out."""
    told: list[Interval] = []
    for start, end in sorted(intervals):
        if told and start <= told[-1][1]:
            told[-1] = (told[-1][0], max(told[-1][1], end))
        elif start < end:
            told.append((start, end))
    return tuple(told)


def _mark_dropped(file: sqlite3.Connection, frame: _Frame) -> None:
    """Keep the number of a dropped frame and what is lost with it, beside its neighbour's."""
    lost = _lost_of([frame])
    row = file.execute(
        "SELECT first, lost FROM dropped WHERE epoch = ? AND last = ? AND mark = ?",
        (frame.filed, frame.seq - 1, frame.mark),
    ).fetchone()
    if row is None:
        told = (frame.filed, frame.seq, frame.seq, frame.mark, *frame[4:6], text_of(merged(lost)))
        file.execute("INSERT INTO dropped VALUES (?, ?, ?, ?, ?, ?, ?)", told)
        return
    file.execute(
        "UPDATE dropped SET last = ?, complete_to = ?, lost = ? WHERE epoch = ? AND first = ?",
        (
            *(frame.seq, frame.complete_to, text_of(merged([*_intervals(row[1]), *lost]))),
            *(frame.filed, row[0]),
        ),
    )


def _lost_of(frames: Iterable[_Frame]) -> list[Interval]:
    """Return what is lost with frames: their intervals, and what they would have told as lost."""
    return [
        interval
        for one in frames
        for interval in (*_intervals(one.lost), (one.complete_from, one.complete_to))
    ]


def text_of(intervals: tuple[Interval, ...]) -> str:
    """Return intervals as the file keeps them."""
    return msgspec.json.encode(intervals).decode()


def _intervals(text: str) -> tuple[Interval, ...]:
    return msgspec.json.decode(text, type=tuple[Interval, ...])
