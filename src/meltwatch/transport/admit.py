"""The check of a frame's rows: good ones become samples, bad ones go to quarantine with a reason.

A row never refuses its frame. Checks run over whole columns, so that a frame of a thousand rows
costs little; only bad rows are looked at one by one (`judge.py`, whose `admit_each` is the plain
twin). Whatever is behind `complete_from` or ahead of `complete_to` is kept: the first are
corrections, the second wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat, zip_longest
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meltwatch.errors import Bug
from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from meltwatch.model.sample import EMPTY, SampleBatch
from meltwatch.transport.frame import MAX_EXACT, Frame
from meltwatch.transport.intake import AHEAD_MS
from meltwatch.transport.judge import CELLS, KNOWN_BITS, Admitted, Quarantined, judge, number
from meltwatch.transport.points import PointBook

Mask = NDArray[np.bool_]
Cells = Sequence[Any]

_BAD, _TEST = int(Quality.BAD), int(Quality.TEST)
_UNSURE = int(Quality.UNCERTAIN | Quality.OUT_OF_RANGE)
_NO_ROW = [None, None, None]
"""Stands for a row of the wrong shape: bad by its every cell."""


def admit(frame: Frame, book: PointBook, now: int) -> Admitted:
    """Judge the rows of a frame of the book's gateway; `now` is the server's clock, ms UTC."""
    if frame.gateway != book.gateway:
        raise Bug(f"a frame of {frame.gateway}, the book of {book.gateway}")
    if not frame.rows:
        return Admitted(EMPTY, ())
    columns = _columns(frame.rows, frame, book, now)
    if not columns.bad.any():
        return Admitted(_batch(columns, frame, book), ())
    kept = [row for row, bad in zip(frame.rows, columns.bad.tolist(), strict=True) if not bad]
    samples = _batch(_columns(kept, frame, book, now), frame, book) if kept else EMPTY
    return Admitted(samples, _quarantined(columns.bad, frame, book, now))


class _Columns(NamedTuple):
    """The n rows in columns, each of shape (n,).

    `layout`: the rows' points as they first come; `place`: a row's place in it. `point`: a row's
    place in the book, -1 for none. `null`: no value was told. `bad`: the row cannot be used.
    """

    layout: tuple[PointCode, ...]
    place: NDArray[np.int32]
    point: NDArray[np.int32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    null: Mask
    quality: NDArray[np.int64]
    bad: Mask


def _columns(rows: list[Any], frame: Frame, book: PointBook, now: int) -> _Columns:
    codes, instants, values, qualities, units = _cells(rows)
    layout, place, point = _places(codes, book)
    at, no_instant = _instants(instants)
    value, null, no_number = _values(values)
    quality, no_bits = _qualities(qualities)
    bad = (point < 0) | no_instant | no_number | no_bits
    if book.live:
        bad |= at > now + AHEAD_MS
    if frame.mark == "real":
        bad |= (quality & _TEST) != 0
    bad |= _other_units(units, point, book)
    return _Columns(layout, place, point, at, value, null, quality, bad)


def _batch(columns: _Columns, frame: Frame, book: PointBook) -> SampleBatch:
    """Return the samples, with the bits that intake adds."""
    low, high = book.low[columns.point], book.high[columns.point]
    outside = (columns.value < low) | (columns.value > high)
    quality = columns.quality + np.zeros(len(outside), dtype=np.int64)
    quality[columns.null] |= _BAD
    quality[outside & ((quality & _BAD) == 0)] |= _UNSURE
    if frame.mark == "test":
        quality |= _TEST
    return SampleBatch(
        layout=columns.layout,
        point_bytes=columns.place.astype("<i4").tobytes(),
        at_bytes=columns.at.astype("<i8").tobytes(),
        value_bytes=columns.value.astype("<f8").tobytes(),
        quality_bytes=quality.astype("<u2").tobytes(),
    )


def _quarantined(bad: Mask, frame: Frame, book: PointBook, now: int) -> tuple[Quarantined, ...]:
    found = []
    for place in np.flatnonzero(bad).tolist():
        judged = judge(place, frame.rows[place], frame, book, now)
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


def _places(
    codes: Cells, book: PointBook
) -> tuple[tuple[PointCode, ...], NDArray[np.int32], NDArray[np.int32]]:
    """Return the layout, each row's place in it and in the book."""
    if set(map(type, codes)) != {str}:
        codes = [one if isinstance(one, str) else "" for one in codes]
    layout = tuple(dict.fromkeys(codes))
    places = dict(zip(layout, range(len(layout)), strict=True))
    place = np.fromiter(map(places.__getitem__, codes), np.int32, len(codes))
    point = np.fromiter(map(book.places.get, layout, repeat(-1)), np.int32, len(layout))
    return layout, place, point[place]


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


def _qualities(cells: Cells | None) -> tuple[NDArray[np.int64], Mask]:
    """Return the bits, none where none are told, and which cells hold unknown ones."""
    if cells is None:
        return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.bool_)
    if set(map(type, cells)) <= {int, type(None)}:
        try:
            quality = np.array([one or 0 for one in cells], dtype=np.int64)
        except OverflowError:
            pass
        else:
            return quality, (quality & ~KNOWN_BITS) != 0
    sound = [one is None or (type(one) is int and not one & ~KNOWN_BITS) for one in cells]
    told = [(one or 0) if ok else 0 for one, ok in zip(cells, sound, strict=True)]
    return np.array(told, dtype=np.int64), ~np.array(sound)


def _other_units(units: Cells | None, point: NDArray[np.int32], book: PointBook) -> Mask:
    """Tell which rows state another unit than their point's."""
    if units is None or not book.units:
        return np.zeros(1, dtype=np.bool_)
    wanted = tuple(map(book.units.__getitem__, point.tolist()))
    if units == wanted:
        return np.zeros(1, dtype=np.bool_)
    return np.array(
        [one is not None and one != unit for one, unit in zip(units, wanted, strict=True)]
    )
