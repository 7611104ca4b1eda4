"""What is wrong with a row, plainly: one row at a time, one reason for each, in a fixed order.

`admit.py` comes here for the reasons of the rows that it has found bad; `admit_each` judges every
row so and is the twin that the fast kernel is held equal to.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from meltwatch.model.reason import Params
from meltwatch.model.sample import Row, SampleBatch, batch_of
from meltwatch.transport.columns import MAX_EXACT
from meltwatch.transport.errors import shown
from meltwatch.transport.frame import Frame
from meltwatch.transport.intake import AHEAD_MS
from meltwatch.transport.points import PointBook
from meltwatch.transport.rows import cells_of

KNOWN_BITS = sum(Quality)
CELLS = (3, 4, 5)
"""How many cells a row may have: point, at, value, quality, unit."""


class Quarantined(msgspec.Struct, frozen=True):
    """A row that cannot be used: its place in the frame from 0, and why (`errors.py`)."""

    row: int
    key: str
    params: Params = {}


class Admitted(msgspec.Struct, frozen=True):
    """A frame's rows, judged: samples in the order of the rows, and what is not among them.

    A sample without a value (null) is bad and holds NaN.
    """

    samples: SampleBatch
    quarantined: tuple[Quarantined, ...]


def admit_each(frame: Frame, book: PointBook, now: int) -> Admitted:
    """Return what `admit.admit` returns."""
    judged = [judge(place, frame, book, now) for place in range(frame.count)]
    return Admitted(
        samples=batch_of(one for one in judged if isinstance(one, tuple)),
        quarantined=tuple(one for one in judged if isinstance(one, Quarantined)),
    )


def judge(place: int, frame: Frame, book: PointBook, now: int) -> Row | Quarantined:
    """Return the sample that a row of a frame is, or why it is none."""
    row = row_told(frame, place)
    if frame.columns is None and (not isinstance(row, list) or len(row) not in CELLS):
        return Quarantined(place, "row.shape", {"told": shown(row)})
    code, at, value, quality, unit, source_at = [*row, None, None, None][:6]
    quality = 0 if quality is None else quality
    reason = (
        _point(code, book)
        or _instant(at, book, now)
        or _value(value)
        or _quality(quality, frame)
        or _unit(unit, code, book)
        or _source_at(source_at)
    )
    if reason is not None:
        return Quarantined(place, *reason)
    return code, at, number(value), quality | _added(value, quality, frame, _range(code, book))


def row_told(frame: Frame, place: int) -> Any:
    """Return a row as its source told it; of columns its six cells, the point by its code."""
    if frame.columns is None:
        return cells_of(frame.rows[place])
    told, points = frame.columns.cells(place), frame.points or ()
    if type(told[0]) is int and 0 <= told[0] < len(points):
        told[0] = points[told[0]]
    return told


def number(value: float | int | None) -> float:
    """Return a value as float64: NaN for none, an infinity for what is beyond its range."""
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


_Reason = tuple[str, Params] | None


def _point(code: object, book: PointBook) -> _Reason:
    if isinstance(code, str) and PointCode(code) in book.places:
        return None
    if isinstance(code, str) and PointCode(code) in book.of_others:
        source = book.of_others[PointCode(code)]
        return "row.foreign_point", {"point": shown(code), "source": source}
    return "row.unknown_point", {"told": shown(code)}


def _instant(at: object, book: PointBook, now: int) -> _Reason:
    if type(at) is not int or not 0 <= at <= MAX_EXACT:
        return "row.at_not_an_instant", {"told": shown(at)}
    if book.live and at - now > AHEAD_MS:
        return "row.at_ahead", {"ahead_ms": at - now, "limit_ms": AHEAD_MS}
    return None


def _value(value: object) -> _Reason:
    if value is None:
        return None
    if type(value) is not int and type(value) is not float:
        return "row.value_not_a_number", {"told": shown(value)}
    told = number(value)
    if math.isnan(told):
        return "row.value_nan", {}
    return ("row.value_infinite", {}) if math.isinf(told) else None


def _quality(quality: object, frame: Frame) -> _Reason:
    if type(quality) is not int or quality & ~KNOWN_BITS:
        return "row.quality_unknown", {"told": shown(quality)}
    if quality & Quality.TEST and frame.mark == "real":
        return "row.test_in_real_frame", {}
    return None


def _unit(unit: object, code: PointCode, book: PointBook) -> _Reason:
    expected = book.units[book.places[code]]
    if unit is None or unit == expected:
        return None
    return "row.unit_mismatch", {"told": shown(unit), "expected": expected}


def _source_at(told: object) -> _Reason:
    if told is None or (type(told) is int and 0 <= told <= MAX_EXACT):
        return None
    return "row.source_at_not_an_instant", {"told": shown(told)}


def _range(code: PointCode, book: PointBook) -> tuple[float, float]:
    place = book.places[code]
    return float(book.low[place]), float(book.high[place])


def _added(
    value: float | int | None, quality: int, frame: Frame, limits: tuple[float, float]
) -> int:
    """Return the bits that intake adds."""
    added = Quality.TEST if frame.mark == "test" else Quality.GOOD
    if value is None:
        added |= Quality.BAD
    elif not quality & Quality.BAD and not limits[0] <= number(value) <= limits[1]:
        added |= Quality.UNCERTAIN | Quality.OUT_OF_RANGE
    return int(added)
