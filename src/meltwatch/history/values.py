"""What every point held at an instant, over files and the log's tail.

From the beginning of the last hour of which that is known, and the rows since. Every file is
settled in itself, so of each only the last samples of a point matter: a candidate that stands in
one place only is the answer; where several files tell of it, or a correction took it away, the
point's rows are brought together as anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meltwatch.history.disk import SEGMENTS
from meltwatch.history.held import Held, after_samples
from meltwatch.history.look import Look, Points, look, read_part
from meltwatch.history.rows import Rows
from meltwatch.history.ruling import Ruling, ruling
from meltwatch.history.settle import merged
from meltwatch.ledger.port import StreamReader
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.quality import Quality

_LONG_AGO = np.iinfo(np.int64).min
_SOME = ("point", "at", "value", "quality")
_NO_VALUE = np.uint16(Quality.BAD | Quality.TEST)


def values_at(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    at: int,
    points: Points | None = None,
) -> Held:
    """Return the last value at or before `at` (ms UTC) of some points (None: of all).

    A point that never had one is left out. Raises what history and ledger raise.
    """
    seen = look(directory, reader, enterprise, (at, at), with_held=True)
    parts = list(_parts(seen, points, at))
    names = {name: nth for nth, name in enumerate(sorted({n for p in parts for n in p.points}))}
    moved = [np.asarray([names[name] for name in part.points], "<i4") for part in parts]
    best = np.full(len(names), _LONG_AGO)
    for part, move in zip(parts, moved, strict=True):
        np.maximum.at(best, *_lasts(part, move))
    told = np.zeros(len(names), dtype=np.intp)
    found = after_samples(_some(seen.held(), points), _nothing(tuple(names)))
    singles = []
    for part, move in zip(parts, moved, strict=True):
        real = (part.quality & np.uint16(Quality.TEST)) == 0
        mine = real & (part.at == best[move[part.point]])
        picked = part.pick(mine)
        told += np.bincount(move[picked.point], minlength=len(names))
        singles.append((picked, move))
    for picked, move in singles:
        found = after_samples(found, _ruling_of(picked, told[move[picked.point]] == 1))
    disputed = frozenset(name for name, nth in names.items() if told[nth] > 1)
    if disputed:
        found = after_samples(found, seen.ruling(disputed, seen.begin, at))
    late = _late(parts, seen.begin)
    if late:
        earlier = look(directory, reader, enterprise, (min(late.values()), at), with_held=True)
        found = _with_late(found, late, earlier, at)
    return found


def _parts(seen: Look, points: Points | None, at: int) -> Iterator[Rows]:
    """Yield the rows up to an instant, file by file; what is asked of them is not all columns."""
    rows = seen.tail.rows
    tail = merged([rows.pick(rows.at <= at)])
    if points is not None:
        wanted = np.asarray([name in points for name in tail.points], dtype=np.bool_)
        tail = tail.pick(wanted[tail.point])
    yield tail
    for one in seen.segments(_LONG_AGO, at):
        path = seen.directory / SEGMENTS / one.path
        yield from read_part(path, points, (_LONG_AGO, at), _SOME)


def _lasts(part: Rows, move: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return for each point of sorted rows its last instant with a value that is not bad."""
    good = np.flatnonzero((part.quality & _NO_VALUE) == 0)
    point = part.point[good]
    ends = np.flatnonzero(np.append(point[1:] != point[:-1], [True] * min(len(point), 1)))
    return move[point[ends]], part.at[good[ends]]


def _late(parts: list[Rows], begin: int) -> dict[str, int]:
    """Return the points of which something came late for before `begin`, and its first instant.

    What they held then may not be so any more: the hours are not compacted anew yet.
    """
    found: dict[str, int] = {}
    for part in parts:
        before = part.pick(part.at < begin)
        for place in np.unique(before.point).tolist():
            name, first = part.points[place], int(before.at[before.point == place].min())
            found[name] = min(found.get(name, first), first)
    return found


def _with_late(found: Held, late: dict[str, int], seen: Look, at: int) -> Held:
    """Return what is held, of late points from a look that begins before what came late."""
    points = frozenset(late)
    others = _some(found, frozenset(found.points) - points)
    own = after_samples(_some(seen.held(), points), seen.ruling(points, seen.begin, at))
    whole = Ruling(
        points=own.points,
        point=np.arange(len(own), dtype="<i4"),
        at=own.at,
        value=own.value,
        quality=own.quality,
    )
    return after_samples(others, whole)


def _ruling_of(rows: Rows, which: NDArray[np.bool_]) -> Ruling:
    return ruling(rows.pick(which))


def _nothing(points: tuple[str, ...]) -> Ruling:
    return Ruling(
        points=points,
        point=np.empty(0, "<i4"),
        at=np.empty(0, "<i8"),
        value=np.empty(0),
        quality=np.empty(0, "<u2"),
    )


def _some(told: Held, points: Points | None) -> Held:
    if points is None:
        return told
    wanted = [nth for nth, name in enumerate(told.points) if name in points]
    return Held(
        points=tuple(told.points[nth] for nth in wanted),
        at=told.at[wanted],
        value=told.value[wanted],
        quality=told.quality[wanted],
    )
