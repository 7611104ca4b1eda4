"""One look at a history: files of the catalogue and the ledger's tail behind them, as one.

The sealer, compaction and retention go on meanwhile. A look takes the files that counted together
in one transaction of the catalogue, and reads the log from where they end: every sample is in one
of the two. Reading is by pyarrow in the caller's thread: only the hours that a question reaches
into, of these only the row groups whose statistics leave room for its points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from meltwatch.history import held, minutes
from meltwatch.history.catalogue import FILE, HOUR_MS, Catalogue, Derived, Segment, View
from meltwatch.history.coverage import Coverage, joined_coverage
from meltwatch.history.disk import HELD, MINUTES, SEGMENTS, open_parquet
from meltwatch.history.errors import NothingYet
from meltwatch.history.minutes import Minutes, minutes_of
from meltwatch.history.rows import COLUMNS, Rows, no_rows
from meltwatch.history.ruling import Ruling, ruling
from meltwatch.history.segment import read_facts, rows_of
from meltwatch.history.settle import merged
from meltwatch.history.tail import Tail, read_tail
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import StreamReader
from meltwatch.model.ids import EnterpriseId

TRIES = 3
Points = frozenset[str]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory and a log held together; `begins`: the hour that `held` stands for."""

    directory: Path
    view: View
    tail: Tail
    coverage: Coverage
    begins: Derived | None = None

    @property
    def begin(self) -> int:
        """Return from where on its rows say all that `held` does not, ms UTC."""
        return self.begins.hour * HOUR_MS if self.begins else -(1 << 63)

    def rows(self, points: Points | None, at_from: int, at_to: int) -> Rows:
        """Return the rows of some points (None: of all) in `[at_from, at_to]`, settled."""
        if at_from > at_to:
            return no_rows()
        parts = [_only(self.tail.rows, points, at_from, at_to)]
        for one in self.segments(at_from, at_to):
            parts += read_part(self.directory / SEGMENTS / one.path, points, (at_from, at_to))
        return merged([part for part in parts if len(part)])

    def ruling(self, points: Points | None, at_from: int, at_to: int) -> Ruling:
        """Return what rules of these rows."""
        return ruling(self.rows(points, at_from, at_to))

    def segments(self, at_from: int, at_to: int) -> list[Segment]:
        """Return the files that reach into a window."""
        found = self.view.segments
        return [one for one in found if one.at_to >= at_from and one.at_from <= at_to]

    def minutes(self, points: Points, minute_from: int, minute_to: int) -> Minutes:
        """Return the roll-ups of `[minute_from, minute_to)`, both whole minutes, ms UTC.

        Of hours that are not compacted, or have later rows, they are made here.
        """
        parts: list[Minutes] = []
        for hour in range(minute_from // HOUR_MS, -(-minute_to // HOUR_MS)):
            begin = max(minute_from, hour * HOUR_MS)
            end = min(minute_to, (hour + 1) * HOUR_MS)
            parts += self._minutes_of_hour(points, hour, (begin, end))
        return minutes.joined(parts)

    def held(self) -> held.Held:
        """Return what every point held when `begins` began."""
        if self.begins is None:
            return held.nothing_held()
        with open_parquet(self.directory / HELD / self.begins.path, []) as file:
            return held.decode(file.read(use_threads=False))

    def _minutes_of_hour(
        self, points: Points, hour: int, between: tuple[int, int]
    ) -> Iterable[Minutes]:
        rolled = [one for one in self.view.derived if one.hour == hour and one.kind == "minutes"]
        files = self.segments(hour * HOUR_MS, (hour + 1) * HOUR_MS - 1)
        with_rows = {one.class_ for one in files if one.kind == "hour"}
        late = any(one.kind != "hour" for one in files) or self._tail_reaches(points, between)
        wanted = [one for one in rolled if not late or one.class_ not in with_rows]
        found = [
            part
            for one in wanted
            for part in read_minutes(self.directory / MINUTES / one.path, points, between)
        ]
        yield from found
        # Without its rows a roll-up is all that there is, whatever has come since.
        left = points - {name for part in found for name in part.points}
        if left and (late or not rolled) and (files or late):
            yield minutes_of(self.ruling(left, between[0], between[1] - 1))

    def _tail_reaches(self, points: Points, between: tuple[int, int]) -> bool:
        rows = self.tail.rows
        return bool(len(_only(rows, points, between[0], between[1] - 1)))


def look(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    window: tuple[int, int],
    *,
    with_held: bool = False,
    with_coverage: bool = False,
) -> Look:
    """Take a look at `[at_from, at_to]` (ms UTC); raises what history and ledger raise.

    `with_held`: from the last hour on of whose beginning it is known what every point held, with
    what has come since of hours before it. `with_coverage`: it may be long, and few ask.
    """
    view, begins = _files(directory, window, with_held=with_held)
    after = view.sealed_to
    for _ in range(TRIES):
        try:
            tail = read_tail(reader, enterprise, after)
            break
        except Truncated as gone:
            view, begins = _files(directory, window, with_held=with_held)
            # Removed before it was sealed: what is left is still worth showing.
            after = view.sealed_to if view.sealed_to > after else gone.first - 1
    else:
        tail = read_tail(reader, enterprise, reader.end(enterprise))
    return Look(
        directory=directory,
        view=view,
        tail=tail,
        coverage=joined_coverage([_coverage(directory), tail.coverage]) if with_coverage else {},
        begins=begins,
    )


def read_part(
    path: Path,
    points: Points | None,
    window: tuple[int, int],
    columns: Sequence[str] = COLUMNS,
) -> list[Rows]:
    """Return the rows of a segment that a question asks for; columns left out are zero.

    Raises `Damaged`, `UnknownFormat`.
    """
    with open_parquet(path) as file:
        read_facts(file.metadata, str(path))
        groups = _groups(file.metadata, points, ("point", "at"), window)
        if not groups:
            return []
        rows = rows_of(file.read_row_groups(groups, columns=list(columns), use_threads=False))
    return [_only(rows, points, *window)]


def read_minutes(path: Path, points: Points, between: tuple[int, int]) -> list[Minutes]:
    """Return the roll-ups of a file that a question asks for, in `[from, to)`."""
    window = between[0], between[1] - 1
    with open_parquet(path, ["point"]) as file:
        groups = _groups(file.metadata, points, ("point", "minute"), window)
        if not groups:
            return []
        columns = list(minutes.FOR_TRENDS)
        told = minutes.decode(file.read_row_groups(groups, columns=columns, use_threads=False))
    wanted = np.asarray([name in points for name in told.points], dtype=np.bool_)
    mask = wanted[told.point] & (told.minute >= between[0]) & (told.minute < between[1])
    return [_tidy_minutes(told.pick(mask))] if mask.any() else []


def _files(
    directory: Path, window: tuple[int, int], *, with_held: bool
) -> tuple[View, Derived | None]:
    nothing: tuple[View, Derived | None] = (View(0, [], []), None)
    if not (directory / FILE).exists():
        return nothing
    try:
        catalogue = Catalogue(directory)
    except NothingYet:
        return nothing
    try:
        begins = catalogue.held(window[0] // HOUR_MS) if with_held else None
        if not with_held:
            return catalogue.view(*window), None
        first = begins.hour * HOUR_MS if begins else None
        view = catalogue.view(first, window[1])
        late = catalogue.late(first) if first is not None else []
        view = msgspec.structs.replace(view, segments=[*late, *view.segments])
        return view, begins
    finally:
        catalogue.close()


def _coverage(directory: Path) -> Coverage:
    """Return what is sealed of it: read after the files, it may say more than they, never less."""
    if not (directory / FILE).exists():
        return {}
    try:
        catalogue = Catalogue(directory)
    except NothingYet:
        return {}
    try:
        return catalogue.coverage()
    finally:
        catalogue.close()


def _groups(
    metadata: Any, points: Points | None, names: tuple[str, str], window: tuple[int, int]
) -> list[int]:
    """Return the row groups whose statistics leave room for the points and the window."""
    columns = [metadata.schema.column(nth).path for nth in range(metadata.num_columns)]
    of_point, of_at = (columns.index(name) for name in names)
    wanted = sorted(points) if points is not None else []
    found = []
    for nth in range(metadata.num_row_groups):
        group = metadata.row_group(nth)
        if points is not None:
            told = group.column(of_point).statistics
            if told is not None and told.has_min_max:
                low, high = told.min, told.max
                if not any(low <= name <= high for name in wanted):
                    continue
        told = group.column(of_at).statistics
        apart = told is not None and told.has_min_max
        if not apart or (told.max >= window[0] and told.min <= window[1]):
            found.append(nth)
    return found


def _only(rows: Rows, points: Points | None, at_from: int, at_to: int) -> Rows:
    mask = (rows.at >= at_from) & (rows.at <= at_to)
    if points is not None:
        wanted = np.asarray([name in points for name in rows.points], dtype=np.bool_)
        mask &= wanted[rows.point]
    return rows if mask.all() else rows.pick(mask)


def _tidy_minutes(told: Minutes) -> Minutes:
    used = np.unique(told.point)
    moved = np.zeros(len(told.points), "<i4")
    moved[used] = np.arange(len(used), dtype="<i4")
    names = tuple(told.points[place] for place in used.tolist())
    return msgspec.structs.replace(told, points=names, point=moved[told.point])
