"""The questions that history answers, over sealed files and the open log as one: the port.

    window    points over time, thinned, no extreme lost     (trend.py)
    last      what every point holds now                     (values.py)
    snapshot  what every point held at an instant            (values.py)
    gaps      what of each source's time is complete, lost or neither; where a point was silent
    export    samples as CSV or Parquet                      (export.py)

Instants are ms UTC. Each raises what history and the ledger raise about their files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from meltwatch.history.coverage import State, states
from meltwatch.history.export import Format, exported
from meltwatch.history.held import Held
from meltwatch.history.look import look
from meltwatch.history.trend import TrendColumns, Window, trends
from meltwatch.history.values import values_at
from meltwatch.ledger.port import StreamReader
from meltwatch.model.ids import EnterpriseId, PointCode, SourceId
from meltwatch.model.log import Interval


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a source's time: `(begins, ends]` is complete, lost or incomplete."""

    source: str
    state: State
    begins: int
    ends: int


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """The gap map of a window: every source's time without a rest, and where points were silent.

    `silent`: for each point asked, `[from, to]` without a value for longer than it may be.
    """

    sources: tuple[Gap, ...]
    silent: dict[str, tuple[Interval, ...]]


class History:
    """One enterprise's history: its directory, and the log that goes on behind it."""

    def __init__(self, directory: Path, reader: StreamReader, enterprise: EnterpriseId) -> None:
        """Keep where to look; nothing is read yet, and the directory may not be there."""
        self._asked = directory, reader, enterprise

    def window(
        self, points: dict[PointCode, int | None], window: Window
    ) -> dict[PointCode, TrendColumns]:
        """Return points over a window; each with after how many ms it is stale, None: never."""
        return trends(*self._asked, points, window)

    def last(self, now: int, points: Iterable[PointCode] | None = None) -> Held:
        """Return the last value of points (None: of all) that is not beyond now."""
        return self.snapshot(now, points)

    def snapshot(self, at: int, points: Iterable[PointCode] | None = None) -> Held:
        """Return what points (None: all) held at an instant."""
        return values_at(*self._asked, at, None if points is None else frozenset(points))

    def gaps(
        self,
        window: Interval,
        sources: Iterable[SourceId] | None = None,
        points: dict[PointCode, int | None] | None = None,
    ) -> Gaps:
        """Return the gap map of `(from, to]`; `sources` None: all that have ever sent."""
        seen = look(*self._asked, window, with_coverage=True)
        wanted = sorted({name for name, _ in seen.coverage}) if sources is None else list(sources)
        told = [
            Gap(source=source, state=state, begins=begins, ends=ends)
            for source in wanted
            for state, (begins, ends) in states(seen.coverage, source, window)
        ]
        asked = Window(at_from=window[0], at_to=window[1], width=1)
        drawn = trends(*self._asked, points, asked) if points else {}
        silent = {str(point): columns.blind for point, columns in drawn.items()}
        return Gaps(sources=tuple(told), silent=silent)

    def export(
        self, points: Iterable[PointCode], window: Interval, form: Format
    ) -> Iterator[bytes]:
        """Yield the bytes of a file with what rules of points in `[from, to]`."""
        return exported(*self._asked, frozenset(points), window, form)
