"""The check of a frame's rows: good ones become samples, bad ones go to quarantine with a reason.

A row never refuses its frame. Checks run over whole columns, so that a frame of a thousand rows
costs little; only bad rows are looked at one by one (`judge.py`, whose `admit_each` is the plain
twin). Whatever is behind `complete_from` or ahead of `complete_to` is kept: the first are
corrections, the second wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat, zip_longest
from struct import error, pack
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meltwatch.errors import Bug
from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from meltwatch.model.sample import EMPTY, SampleBatch
from meltwatch.transport.columns import MAX_EXACT, NOT_TOLD, Arrays, Columns, TypedColumns
from meltwatch.transport.frame import Frame
from meltwatch.transport.intake import AHEAD_MS
from meltwatch.transport.judge import CELLS, KNOWN_BITS, Admitted, Quarantined, judge, number
from meltwatch.transport.points import PointBook
from meltwatch.transport.rows import Row

Mask = NDArray[np.bool_]
Cells = Sequence[Any]

_LAID = 64
"""How many lists of points a book knows the places of, at most."""
_PATTERNS, _PATTERN_BYTES = 64, 80_000
"""How many orders of points a book remembers at most, and how long ones."""
_BAD, _TEST = int(Quality.BAD), int(Quality.TEST)
_UNSURE = int(Quality.UNCERTAIN | Quality.OUT_OF_RANGE)
_NO_ROW = [None, None, None]
"""Stands for a row of the wrong shape: bad by its every cell."""


def admit(frame: Frame, book: PointBook, now: int) -> Admitted:
    """Judge the rows of a frame of the book's gateway; `now` is the server's clock, ms UTC."""
    if frame.gateway != book.gateway:
        raise Bug(f"a frame of {frame.gateway}, the book of {book.gateway}")
    if not frame.count:
        return Admitted(EMPTY, ())
    columns = _columns(frame, book)
    bad = _bad(columns, frame, book, now)
    if not bad.any():
        return Admitted(_batch(columns, frame, book), ())
    samples = EMPTY if bad.all() else _batch(_only(columns, ~bad), frame, book)
    return Admitted(samples, _quarantined(bad, frame, book, now))


class _Columns(NamedTuple):
    """The n rows in columns, each of shape (n,).

    `point`: a row's place in the book, -1 for none. `null`: no value was told; None: all have one.
    `quality`: None: all are good. `bad`: cells that are none of their kind; None: all are.
    """

    point: NDArray[np.int32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    null: Mask | None
    quality: NDArray[np.int64] | None
    bad: Mask | None


def _columns(frame: Frame, book: PointBook) -> _Columns:
    told, points = frame.columns, frame.points or ()
    match told:
        case None if type(frame.rows[0]) is Row:
            return _typed(frame.rows, book)
        case None:
            return _told(frame.rows, book)
        case Arrays():
            return _arrays(told, points, book)
        case TypedColumns():
            return _typed_columns(told, points, book)
    return _told_columns(told, points, book)


def _typed(rows: Sequence[Row], book: PointBook) -> _Columns:
    """Return rows whose cells all have their types: only what they tell is still to be judged."""
    count = len(rows)
    point = _points([row.point for row in rows], book)
    at = np.fromiter([row.at for row in rows], np.int64, count)
    values = [row.value for row in rows]
    value, null = _numbers(values)
    qualities = [row.quality for row in rows]
    quality = None
    if qualities.count(None) != count:
        quality = np.array([bits or 0 for bits in qualities], dtype=np.int64)
    units = [row.unit for row in rows]
    bad = None if units.count(None) == count else _other_units(units, point, book)
    return _Columns(point, at, value, null, quality, bad)


def _arrays(told: Arrays, points: tuple[PointCode, ...], book: PointBook) -> _Columns:
    at, value = told.at, told.value
    bad = ~np.isfinite(value) if told.null is None else ~(np.isfinite(value) | told.null)
    bad |= (at < 0) | (at > MAX_EXACT)
    if told.source_at is not None:
        source_at = told.source_at
        bad |= ((source_at < 0) & (source_at != NOT_TOLD)) | (source_at > MAX_EXACT)
    quality = None if told.quality is None else told.quality.astype(np.int64)
    return _Columns(_placed(told.point, points, book), at, value, told.null, quality, bad)


def _typed_columns(told: TypedColumns, points: tuple[PointCode, ...], book: PointBook) -> _Columns:
    """Return columns whose cells all have their types."""
    count = len(told)
    point = _placed(np.fromiter(told.point, np.int32, count), points, book)
    at, bad = _instants_typed(told.at)
    value, null = _numbers(told.value)
    quality = None
    if told.quality is not None:
        quality = np.array([bits or 0 for bits in told.quality], dtype=np.int64)
    if told.unit is not None:
        other = _other_units(told.unit, point, book)
        bad = other if bad is None else bad | other
    return _Columns(point, at, value, null, quality, bad)


def _told_columns(told: Columns, points: tuple[PointCode, ...], book: PointBook) -> _Columns:
    """Return columns of which anything may be: what has not its type is bad."""
    places = [one if type(one) is int and 0 <= one < len(points) else -1 for one in told.point]
    point = _placed(np.array(places, dtype=np.int64), points, book)
    at, no_instant = _instants(told.at)
    value, null, no_number = _values(told.value)
    quality, no_bits = _qualities(told.quality)
    bad = no_instant | no_number | no_bits
    if told.unit is not None:
        bad |= _other_units(told.unit, point, book)
    if told.source_at is not None:
        _, no_instant = _instants([0 if one is None else one for one in told.source_at])
        bad |= no_instant
    return _Columns(point, at, value, null, quality, bad)


def _placed(
    place: NDArray[Any], points: tuple[PointCode, ...], book: PointBook
) -> NDArray[np.int32]:
    """Return rows' places in the book from those in a list of points; -1 for none."""
    laid = book.laid.get(points)
    if laid is None:
        if len(book.laid) >= _LAID:
            book.laid.clear()
        laid = book.laid[points] = _points((*points, PointCode("")), book)
        laid[-1] = -1
    return laid[np.where((place >= 0) & (place < len(points)), place, -1)]


def _told(rows: list[Any], book: PointBook) -> _Columns:
    """Return rows of which anything may be: what has not its type is bad."""
    codes, instants, values, qualities, units = _cells(rows)
    if set(map(type, codes)) != {str}:
        codes = [one if isinstance(one, str) else "" for one in codes]
    point = _points(codes, book)
    at, no_instant = _instants(instants)
    value, null, no_number = _values(values)
    quality, no_bits = _qualities(qualities)
    bad = no_instant | no_number | no_bits
    if units is not None:
        bad |= _other_units(units, point, book)
    return _Columns(point, at, value, null, quality, bad)


def _bad(columns: _Columns, frame: Frame, book: PointBook, now: int) -> Mask:
    """Tell which rows cannot be used, shape (n,)."""
    bad = columns.point < 0
    if columns.bad is not None:
        bad |= columns.bad
    if book.live:
        bad |= columns.at > now + AHEAD_MS
    if columns.quality is not None:
        bad |= (columns.quality & ~KNOWN_BITS) != 0
        if frame.mark == "real":
            bad |= (columns.quality & _TEST) != 0
    return bad


def _only(columns: _Columns, kept: Mask) -> _Columns:
    return _Columns(
        columns.point[kept],
        columns.at[kept],
        columns.value[kept],
        None if columns.null is None else columns.null[kept],
        None if columns.quality is None else columns.quality[kept],
        None,
    )


def _batch(columns: _Columns, frame: Frame, book: PointBook) -> SampleBatch:
    """Return the samples, with the bits that intake adds."""
    point, value = columns.point, columns.value
    outside = (value < book.low[point]) | (value > book.high[point])
    quality = np.zeros(len(point), dtype="<u2")
    if columns.quality is not None:
        quality |= columns.quality.astype("<u2")
    if columns.null is not None:
        quality[columns.null] |= _BAD
    if outside.any():
        quality[outside & ((quality & _BAD) == 0)] |= _UNSURE
    if frame.mark == "test":
        quality |= _TEST
    layout, place = _laid_out(point, book)
    return SampleBatch(
        layout=layout,
        point_bytes=place.astype("<i4", copy=False).tobytes(),
        at_bytes=columns.at.astype("<i8", copy=False).tobytes(),
        value_bytes=value.astype("<f8", copy=False).tobytes(),
        quality_bytes=quality.tobytes(),
    )


def _laid_out(
    point: NDArray[np.int32], book: PointBook
) -> tuple[tuple[PointCode, ...], NDArray[np.int32]]:
    """Return the points as they first come, and each row's place among them.

    A gateway that polls tells the same points in the same order again and again.
    """
    pattern = point.tobytes()
    known = book.patterns.get(pattern)
    if known is not None:
        return known
    count = len(point)
    first = np.full(len(book.codes), count, dtype=np.int32)
    first[point[::-1]] = np.arange(count - 1, -1, -1, dtype=np.int32)  # the last written stays
    used = np.flatnonzero(first < count)
    order = used[np.argsort(first[used])]
    place = np.empty(len(book.codes), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    told = tuple(map(book.codes.__getitem__, order.tolist())), place[point]
    if len(pattern) <= _PATTERN_BYTES:
        if len(book.patterns) >= _PATTERNS:
            book.patterns.clear()
        book.patterns[pattern] = told
    return told


def _quarantined(bad: Mask, frame: Frame, book: PointBook, now: int) -> tuple[Quarantined, ...]:
    found = []
    for place in np.flatnonzero(bad).tolist():
        judged = judge(place, frame, book, now)
        if not isinstance(judged, Quarantined):
            raise Bug(f"row {place} is bad for the kernel and good for its twin")
        found.append(judged)
    return tuple(found)


def _cells(rows: list[Any]) -> tuple[Cells, Cells, Cells, Cells | None, Cells | None]:
    """Return the five columns; those that no row has are None, a cell left out is None."""
    if set(map(type, rows)) != {list} or not set(map(len, rows)) <= set(CELLS):
        rows = [one if isinstance(one, list) and len(one) in CELLS else _NO_ROW for one in rows]
    cells = list(zip_longest(*rows))
    quality, unit = [*cells[3:], None, None][:2]
    return cells[0], cells[1], cells[2], quality, unit


def _points(codes: Cells, book: PointBook) -> NDArray[np.int32]:
    """Return each code's place in the book, -1 for one that is not in it."""
    return np.fromiter(map(book.places.get, codes, repeat(-1)), np.int32, len(codes))


def _numbers(cells: Sequence[float | None]) -> tuple[NDArray[np.float64], Mask | None]:
    """Return finite numbers, NaN where there is none, and where that is."""
    try:
        return np.frombuffer(pack(f"={len(cells)}d", *cells)), None  # three times as fast
    except error:
        value = np.fromiter(cells, np.float64, len(cells))  # it makes NaN of None
    null = np.isnan(value)
    return value, null if null.any() else None


def _instants_typed(cells: list[int]) -> tuple[NDArray[np.int64], Mask | None]:
    """Return integers as instants, and which are none; None: all are."""
    try:
        at = np.fromiter(cells, np.int64, len(cells))
    except OverflowError:
        return _instants(cells)
    if len(at) == 0 or (at.min() >= 0 and at.max() <= MAX_EXACT):
        return at, None
    return at, (at < 0) | (at > MAX_EXACT)


def _instants(cells: Cells) -> tuple[NDArray[np.int64], Mask]:
    if set(map(type, cells)) == {int}:
        try:
            at = np.array(cells, dtype=np.int64)
        except OverflowError:
            pass
        else:
            return at, (at < 0) | (at > MAX_EXACT)
    sound = [type(one) is int and 0 <= one <= MAX_EXACT for one in cells]
    told = [one if ok else 0 for one, ok in zip(cells, sound, strict=True)]
    return np.array(told, dtype=np.int64), ~np.array(sound)


def _values(cells: Cells) -> tuple[NDArray[np.float64], Mask, Mask]:
    """Return the values, which of them are null, and which cells are no finite number."""
    value = _floats(cells)
    odd = ~np.isfinite(value)
    null = np.zeros(len(cells), dtype=np.bool_)
    for place in np.flatnonzero(odd).tolist():
        null[place] = cells[place] is None
    return value, null, odd & ~null


def _floats(cells: Cells) -> NDArray[np.float64]:
    """Return the numbers; NaN for whatever is none."""
    if set(map(type, cells)) <= {float, int, type(None)}:
        try:
            return np.array(cells, dtype=np.float64)
        except OverflowError:
            pass
    told = [number(one) if type(one) in {float, int} else np.nan for one in cells]
    return np.array(told, dtype=np.float64)


def _qualities(cells: Cells | None) -> tuple[NDArray[np.int64] | None, Mask | bool]:
    """Return the bits, None where none are told, and which cells are no number of theirs."""
    if cells is None:
        return None, False
    if set(map(type, cells)) <= {int, type(None)}:
        try:
            return np.array([one or 0 for one in cells], dtype=np.int64), False
        except OverflowError:
            pass
    sound = [one is None or (type(one) is int and not one & ~KNOWN_BITS) for one in cells]
    told = [(one or 0) if ok else 0 for one, ok in zip(cells, sound, strict=True)]
    return np.array(told, dtype=np.int64), ~np.array(sound)


def _other_units(units: Cells, point: NDArray[np.int32], book: PointBook) -> Mask:
    """Tell which rows state another unit than their point's."""
    if not book.units:
        return np.zeros(len(units), dtype=np.bool_)
    wanted = map(book.units.__getitem__, point.tolist())
    return np.array(
        [one is not None and one != unit for one, unit in zip(units, wanted, strict=True)]
    )
