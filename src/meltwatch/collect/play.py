"""A recorded CSV file as a gateway's frames: every sample keeps the file's own instant.

It stands at the journey's beginning, in the place of instruments. A mapping says how the file is
read: its clock, its separator, which column is which point. Pure and streaming: lines in, `Part`s
(what a frame holds) out, one after another; the same file, mapping and cut give the same parts, so
whoever lacks one can have it made again. Nobody here knows of servers or reads a clock.

What cannot be read is left out and counted in the `Tally`, cell by cell; it never stops the play.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, assert_never

import msgspec

from meltwatch.collect.recording import (
    LAST_MS,
    SHOWN,
    Calendar,
    Mapping,
    PlayRefused,
    cells_of,
    column_of,
    number_of,
)
from meltwatch.errors import Problem
from meltwatch.model.ids import PointCode
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.reason import Params

LEAST_REAL_MS = 100
"""A frame comes at most so often in real time; at high speed it holds more seconds of the file."""
LARGEST_STEP_MS = 60 * SECOND_MS
"""How much of the file a frame holds when it is played as fast as it is acknowledged."""
MOST_ROWS = 10_000
MOST_RANGES = 8
"""How many separate ranges of rows are named for each column and reason; the rest is counted."""


Why = Literal["row_too_long", "time_missing", "time_unreadable", "cell_missing", "cell_unreadable"]
"""Why something is left out."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """How the file's time is cut into frames: so many ms each; `joined`: empty steps are one."""

    step_ms: int
    joined: bool
    most_rows: int = MOST_ROWS


class Part(NamedTuple):
    """What a frame holds: the rows of `(complete_from, complete_to]`, and corrections.

    `rows`: `[point, at, value]` or `[point, at, value, quality, unit]`; `lines`: the line of the
    file that each one comes from.
    """

    complete_from: int
    complete_to: int
    rows: list[list[Any]]
    lines: list[int]


class LeftOut(msgspec.Struct):
    """What was left out of one column for one reason: how much, from which lines, an example."""

    count: int = 0
    ranges: list[list[int]] = []
    told: str = ""

    def note(self, line: int, told: str = "") -> None:
        """Count one; lines that follow each other are one range."""
        self.count += 1
        self.told = self.told or told[:SHOWN]
        if self.ranges and line - self.ranges[-1][1] <= 1:
            self.ranges[-1][1] = line
        elif len(self.ranges) <= MOST_RANGES:
            self.ranges.append([line, line])

    def lines(self) -> str:
        """Return which rows they are, the first row of data being 2, as an editor counts."""
        shown = [str(a) if a == b else f"{a}-{b}" for a, b in self.ranges[:MOST_RANGES]]
        more = ", ..." if len(self.ranges) > MOST_RANGES else ""
        return f"{'row' if self.count == 1 else 'rows'} {', '.join(shown)}{more}"


class Tally(msgspec.Struct):
    """What was read. `corrections`: rows older than what was complete before they came.

    `repeated`: rows of the very instant of the row before them. `newest`, `newest_line`: the row
    with the latest instant; `first_correction`: (line, the line that had gone ahead of it).
    """

    rows: int = 0
    samples: int = 0
    corrections: int = 0
    first_correction: tuple[int, int] | None = None
    repeated: int = 0
    first: int | None = None
    newest: int = -1
    newest_line: int = 0
    left_out: dict[tuple[str, Why], LeftOut] = {}

    def leave_out(self, line: int, column: str, why: Why, told: str = "") -> None:
        """Count a cell, or with column "" a whole row, that is not played."""
        self.left_out.setdefault((column, why), LeftOut()).note(line, told)

    def problems(self) -> list[Problem]:
        """Return what was left out, each with its lines and column, and if rows came too late."""
        found = [_problem(one, column, why) for (column, why), one in self.left_out.items()]
        if self.first_correction is not None:
            line, ahead = self.first_correction
            told: Params = {"count": self.corrections, "ahead": ahead}
            found.append(Problem(f"row {line}", "play.correction", told))
        return found


class _Row(NamedTuple):
    line: int
    at: int
    samples: list[list[Any]]


def cut_of(speed: float | None) -> Cut:
    """Return the cut for a speed, seconds of the file in a real one; None: as fast as it goes.

    >>> cut_of(1).step_ms, cut_of(60).step_ms
    (1000, 6000)
    """
    if speed is None:
        return Cut(step_ms=LARGEST_STEP_MS, joined=True)
    seconds = math.ceil(LEAST_REAL_MS * speed / SECOND_MS)
    return Cut(step_ms=max(seconds, 1) * SECOND_MS, joined=False)


def parts_of(
    lines: Iterable[str], mapping: Mapping, cut: Cut, tally: Tally, at: int | None = None
) -> Iterator[Part]:
    """Yield what the file's frames hold, while it is read; what is met goes into the tally.

    `at`: the instant that the file's first row gets, every other one keeping its distance; None:
    the file's own. The first part completes the first row's instant at any speed, so that points
    are first known at the same instant; the last one completes the latest instant told.
    Raises PlayRefused when the head lacks a column, no row has an instant, or `at` is wanting.
    """
    if mapping.time.format == "seconds" and at is None:
        raise PlayRefused([Problem("--at", "play.at_wanted")])
    rows = iter(_rows(lines, mapping, tally, at))
    first = next(rows, None)
    if first is None:
        raise PlayRefused(tally.problems() or [Problem("", "play.no_rows")])
    begin, end = max(first.at - 1, 0), first.at
    held = _Held([], [])
    held.take(first)
    for row in rows:
        while row.at > end:
            yield Part(begin, end, *held)
            begin, held = end, _Held([], [])
            steps = -((end - row.at) // cut.step_ms) if cut.joined else 1
            end += steps * cut.step_ms
        if held.rows and len(held.rows) + len(row.samples) > cut.most_rows:
            reached = max(begin, row.at - 1)
            yield Part(begin, reached, *held)
            begin, held = reached, _Held([], [])
        if row.at <= begin:
            tally.corrections += 1
            tally.first_correction = tally.first_correction or (row.line, tally.newest_line)
        held.take(row)
    yield Part(begin, max(begin, tally.newest), *held)


class _Held(NamedTuple):
    rows: list[list[Any]]
    lines: list[int]

    def take(self, row: _Row) -> None:
        self.rows.extend(row.samples)
        self.lines.extend(row.line for _ in row.samples)


def _rows(lines: Iterable[str], mapping: Mapping, tally: Tally, at: int | None) -> Iterator[_Row]:
    """Yield every row that has an instant. A row is a line: a quote left open harms no other."""
    numbered = enumerate(lines, start=1)
    head = cells_of(next(numbered, (1, ""))[1], mapping) or []
    time, places = _places(head, mapping)
    calendar = Calendar(mapping.time.format, mapping.time.zone)
    last: int | None = None
    shift = 0
    for line, text in numbered:
        if not text.strip(" \t\r\n"):
            continue
        tally.rows += 1
        cells = cells_of(text, mapping)
        if cells is None or any(one.strip() for one in cells[len(head) :]):
            tally.leave_out(line, "", "row_too_long", text.strip())
            continue
        told = cells[time].strip() if time < len(cells) else ""
        try:
            read = calendar.instant(told, last)
            if tally.first is None and at is not None:
                shift = at - read
            instant = _checked(read + shift)
        except (ValueError, OverflowError):
            why: Why = "time_unreadable" if told else "time_missing"
            tally.leave_out(line, mapping.time.column, why, told)
            continue
        tally.repeated += read == last
        last = read
        tally.first = instant if tally.first is None else tally.first
        samples = _samples(cells, places, mapping, instant, line, tally)
        tally.samples += len(samples)
        yield _Row(line, instant, samples)
        if instant > tally.newest:
            tally.newest, tally.newest_line = instant, line


class _Place(NamedTuple):
    place: int
    point: PointCode
    column: str
    unit: str | None


def _samples(
    cells: list[str],
    places: Sequence[_Place],
    mapping: Mapping,
    at: int,
    line: int,
    tally: Tally,
) -> list[list[Any]]:
    samples: list[list[Any]] = []
    for place, point, column, unit in places:
        told = cells[place].strip() if place < len(cells) else ""
        value = number_of(told, mapping.decimal)
        if value is None:
            missing = not told or told.lower() in {"nan", "null", "none"}
            why: Why = "cell_missing" if missing else "cell_unreadable"
            tally.leave_out(line, column, why, told)
        else:
            samples.append([point, at, value] if unit is None else [point, at, value, 0, unit])
    return samples


def _checked(at: int) -> int:
    if not 0 <= at <= LAST_MS:
        raise ValueError(at)
    return at


def _places(head: list[str], mapping: Mapping) -> tuple[int, list[_Place]]:
    """Return the places of the time column and of the points' columns.

    Raises PlayRefused with every column that the head lacks or has twice.
    """
    names = [one.strip() for one in head]
    wanted = [mapping.time.column, *(column_of(one).column for one in mapping.points.values())]
    known = ", ".join(names)
    problems = [
        Problem(one, "play.column_twice")
        if one in names
        else Problem(one, "play.column_unknown", {"is": known})
        for one in dict.fromkeys(wanted)
        if names.count(one) != 1
    ]
    if problems:
        raise PlayRefused(problems)
    told = ((point, column_of(one)) for point, one in mapping.points.items())
    return names.index(mapping.time.column), [
        _Place(names.index(one.column), point, one.column, one.unit) for point, one in told
    ]


def _problem(one: LeftOut, column: str, why: Why) -> Problem:
    place = one.lines() + (f", column {column}" if column else "")
    told: Params = {"count": one.count, "told": one.told}
    match why:
        case "row_too_long":
            return Problem(place, "play.row_too_long", told)
        case "time_missing":
            return Problem(place, "play.time_missing", told)
        case "time_unreadable":
            return Problem(place, "play.time_unreadable", told)
        case "cell_missing":
            return Problem(place, "play.cell_missing", told)
        case "cell_unreadable":
            return Problem(place, "play.cell_unreadable", told)
    assert_never(why)
