"""Points over a window, thinned to a screen's width: sealed files, and what is not sealed yet.

No extreme is lost: each step tells the least, the greatest and the last value in it. Steps of less
than a minute are made from rows; longer ones are whole minutes and made from roll-ups, with rows
only for hours that are not compacted, for the minutes at the window's ends, and where a silence
within a minute must be told exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.history.catalogue import HOUR_MS
from meltwatch.history.look import Look, look
from meltwatch.history.minutes import MINUTE_MS, Minutes, joined, minutes_of
from meltwatch.history.ruling import Ruling
from meltwatch.ledger.port import StreamReader
from meltwatch.model.ids import EnterpriseId, PointCode

Span = tuple[int, int]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a point: `[at_from, at_to]` (ms UTC) in at most `width` steps.

    `stale_ms`: after how long without a value the point is stale; None: never. `now`: nothing is
    asked beyond it; None: beyond `at_to`.
    """

    at_from: int
    at_to: int
    width: int
    stale_ms: int | None = None
    now: int | None = None

    @property
    def reach(self) -> int:
        """Return from where on a value may still hold in the window."""
        return self.at_from - (self.stale_ms or 0)

    @property
    def until(self) -> int:
        """Return where what is asked ends."""
        return self.at_to if self.now is None else min(self.at_to, self.now)

    @property
    def by_minutes(self) -> bool:
        """Return whether its steps are whole minutes."""
        return self.at_to + 1 - self.at_from >= MINUTE_MS * self.width


class TrendColumns(msgspec.Struct, frozen=True, kw_only=True):
    """A point by step, columns of one length; a step without a sample is left out.

    `at`: the step's last instant, ms UTC. None: no good or uncertain value in it (`last`: the
    last sample is bad). `blind`: `[from, to]` in which the point was stale, or nothing is known.
    """

    at: tuple[int, ...]
    least: tuple[float | None, ...]
    most: tuple[float | None, ...]
    last: tuple[float | None, ...]
    blind: tuple[Span, ...]


def trend(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    point: PointCode,
    window: Window,
) -> TrendColumns:
    """Return a point over a window; raises what history and ledger raise about their files."""
    return trends(directory, reader, enterprise, {point: window.stale_ms}, window)[point]


def trends(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    stale_ms: dict[PointCode, int | None],
    window: Window,
) -> dict[PointCode, TrendColumns]:
    """Return several points over a window, each with its own `stale_ms` in place of the window's.

    The files are opened once for all of them.
    """
    longest = max((one or 0 for one in stale_ms.values()), default=0)
    window = msgspec.structs.replace(window, stale_ms=longest)
    seen = look(directory, reader, enterprise, (window.reach, window.at_to))
    asked = frozenset(str(point) for point in stale_ms)
    drawn = _by_minutes(seen, asked, window) if window.by_minutes else _by_rows(seen, asked, window)
    found = {}
    for point, stale in stale_ms.items():
        own = msgspec.structs.replace(window, stale_ms=stale)
        steps, values = drawn[point]
        blind = _unread(_blind(values, own), seen.tail.reached, own)
        found[point] = msgspec.structs.replace(steps, blind=tuple(blind))
    return found


Values = NDArray[np.int64]
"""Intervals `[from, to]`, shape (n, 2), ascending: in each values came close enough together."""


def _by_rows(
    seen: Look, points: frozenset[str], window: Window
) -> dict[str, tuple[TrendColumns, Values]]:
    rows = seen.ruling(points, window.reach, window.at_to)
    return {point: _thinned(rows.of(point), window) for point in points}


def _thinned(rows: Ruling, window: Window) -> tuple[TrendColumns, Values]:
    instants = rows.at[rows.counts]
    inside = rows.pick(rows.at >= window.at_from)
    span = window.at_to - window.at_from + 1
    step = (inside.at - window.at_from) * window.width // span
    value = np.where(inside.counts, inside.value, np.nan)
    columns = _columns(step, inside.at, (value, value, value))
    return columns, np.stack([instants, instants], axis=1)


def _by_minutes(
    seen: Look, points: frozenset[str], window: Window
) -> dict[str, tuple[TrendColumns, Values]]:
    begin = -(-window.at_from // MINUTE_MS) * MINUTE_MS
    end = (window.at_to + 1) // MINUTE_MS * MINUTE_MS
    before = seen.ruling(points, window.reach, begin - 1)
    behind = seen.ruling(points, end, window.at_to)
    inside = before.pick(before.at >= window.at_from)
    edges = [minutes_of(one) for one in (inside, behind) if len(one)]
    whole = joined([*edges, seen.minutes(points, begin, end)])
    base = window.at_from // MINUTE_MS * MINUTE_MS
    step_ms = -(-(window.at_to + 1 - base) // (MINUTE_MS * window.width)) * MINUTE_MS
    found = {}
    for point in points:
        mine = whole.pick(_of(whole, point))
        last = np.where((mine.good > 0) & (mine.at_last == mine.ended), mine.last, np.nan)
        step = (mine.minute - base) // step_ms
        columns = _columns(step, mine.ended, (mine.least, mine.most, last))
        reach = before.of(point)
        values = _values(seen, point, mine, window.stale_ms)
        earlier = reach.at[reach.counts & (reach.at < window.at_from)]
        found[point] = columns, np.concatenate([np.stack([earlier, earlier], axis=1), values])
    return found


def _of(whole: Minutes, point: str) -> NDArray[np.bool_]:
    if point not in whole.points:
        return np.zeros(len(whole), dtype=np.bool_)
    mine: NDArray[np.bool_] = whole.point == whole.points.index(point)
    return mine


def _values(seen: Look, point: str, mine: Minutes, stale_ms: int | None) -> Values:
    """Return where values came, minute by minute; by rows where one has a silence within."""
    mine = mine.pick(np.greater(mine.good, 0))
    intervals = np.stack([mine.at_first, mine.at_last], axis=1)
    if not stale_ms:
        return intervals
    silent = mine.gap > stale_ms
    if not silent.any():
        return intervals
    parts = [intervals[~silent]]
    for hour in np.unique(mine.minute[silent] // HOUR_MS).tolist():
        asked = np.flatnonzero(silent & (mine.minute // HOUR_MS == hour))
        rows = seen.ruling(
            frozenset([point]), int(mine.at_first[asked[0]]), int(mine.at_last[asked[-1]])
        )
        instants = rows.at[rows.counts]
        of = np.isin(instants // MINUTE_MS * MINUTE_MS, mine.minute[asked])
        # Of an hour whose rows are gone the ends are left: blind longer than it was, never less.
        ends = np.unique(np.concatenate([instants[of], intervals[asked].ravel()]))
        parts.append(np.stack([ends, ends], axis=1))
    whole = np.concatenate(parts)
    return whole[np.argsort(whole[:, 0], kind="stable")]


def _columns(
    step: NDArray[np.int64], at: NDArray[np.int64], told: tuple[NDArray[np.float64], ...]
) -> TrendColumns:
    """Return the steps of rows or minutes in order; `told`: least, most, last, nan for none."""
    if not len(step):
        return TrendColumns(at=(), least=(), most=(), last=(), blind=())
    ends = np.flatnonzero(np.append(step[1:] != step[:-1], True))
    begins = np.append(0, ends[:-1] + 1)
    least, most, last = told
    return TrendColumns(
        at=tuple(at[ends].tolist()),
        least=_or_none(np.fmin.reduceat(least, begins)),
        most=_or_none(np.fmax.reduceat(most, begins)),
        last=_or_none(last[ends]),
        blind=(),
    )


def _or_none(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in values.tolist())  # noqa: PLR0124


def _blind(values: Values, window: Window) -> Iterable[Span]:
    """Yield where the point had no value for longer than it may."""
    stale = window.stale_ms
    if stale is None:
        return
    values = values[values[:, 0] >= window.reach]
    begun = int(values[0, 0]) if len(values) else window.until
    found = [(window.at_from, begun)]
    ended = np.append(values[1:, 0], window.until)
    found += [
        (max(int(values[nth, 1]) + stale, window.at_from), int(ended[nth]))
        for nth in np.flatnonzero(ended - values[:, 1] > stale).tolist()
    ]
    yield from (one for one in found if one[0] < one[1])


def _unread(blind: Iterable[Span], reached: int | None, window: Window) -> list[Span]:
    """Return where nothing is known, with what of the log was too much to read."""
    if reached is None or reached >= window.until:
        return list(blind)
    kept = [one for one in blind if one[0] < reached]
    return [*kept, (max(reached, window.at_from), window.until)]
