"""One-minute roll-ups: rows of a point -> what a screen needs of each minute, no extreme lost.

Of real rows that rule their place. A minute without any is left out; one in which no value counts
(all bad) has a count and nulls. What a day's trend, a report or a forecast reads instead of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray

from meltwatch.history.ruling import Ruling
from meltwatch.history.segment import VERSION

MINUTE_MS = 60_000
ROW_GROUP = 7_680
"""128 points of an hour: a point's window reads one, of few pages."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Minutes(msgspec.Struct, frozen=True, kw_only=True):
    """n (point, minute) in order; every array has shape (n,). Instants are ms UTC.

    `count`: samples; `good`: those of them that set a value. Where `good` is 0, all that follows is
    nan and 0 but `ended`, the last sample's instant. `at_least`, `at_most`: the first instants of
    the extremes. `gap`: the longest time between two values that follow each other in the minute.
    `quality_last`: of the last value.
    """

    points: tuple[str, ...]
    point: NDArray[np.int32]
    minute: Ints
    count: Ints
    good: Ints
    least: Floats
    most: Floats
    first: Floats
    last: Floats
    total: Floats
    at_least: Ints
    at_most: Ints
    at_first: Ints
    at_last: Ints
    ended: Ints
    gap: Ints
    quality_last: NDArray[np.uint16]

    def __len__(self) -> int:
        """Return the number of minutes, over all points."""
        return len(self.minute)

    def pick(self, which: NDArray[Any]) -> Minutes:
        """Return the minutes of a mask or of places, in that order."""
        picked = {name: getattr(self, name)[which] for name in COLUMNS}
        return msgspec.structs.replace(self, **picked)


COLUMNS = tuple(name for name in Minutes.__struct_fields__ if name != "points")
FOR_TRENDS = (
    "point", "minute", "good", "least", "most", "last", "at_first", "at_last", "ended", "gap"
)  # fmt: skip
_FLOATS = ("least", "most", "first", "last", "total")
_OF_VALUES = (*_FLOATS, "at_least", "at_most", "at_first", "at_last", "gap", "quality_last")
_TYPES = {
    "point": pa.dictionary(pa.int32(), pa.string()),
    "quality_last": pa.uint16(),
    "count": pa.int32(),
    "good": pa.int32(),
    "gap": pa.int32(),
}
_DELTA = ("minute", "at_least", "at_most", "at_first", "at_last", "ended")


def minutes_of(rows: Ruling) -> Minutes:
    """Return the roll-ups of rows that rule, sorted by (point, at)."""
    minute = rows.at // MINUTE_MS * MINUTE_MS
    begins = _begins(rows.point, minute)
    group = np.cumsum(_marks(begins, len(rows))) - 1
    ends = np.append(begins[1:], len(rows))
    size = len(begins)
    told: dict[str, Any] = {name: np.zeros(size, "<i8") for name in COLUMNS}
    told |= {name: np.full(size, np.nan) for name in _FLOATS}
    told["quality_last"] = np.zeros(size, "<u2")
    told["point"], told["minute"] = rows.point[begins], minute[begins]
    told["count"], told["ended"] = ends - begins, rows.at[ends - 1] if size else ends
    counts = rows.counts
    if counts.any():
        _values(told, rows.pick(counts), group[counts])
    return Minutes(points=rows.points, **told)


def encode(minutes: Minutes, enterprise: str) -> bytes:
    """Return the bytes of a Parquet file."""
    empty = minutes.good == 0
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        told = getattr(minutes, name)
        if name == "point":
            names = pa.array(minutes.points, pa.string())
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(told), names)
        else:
            mask = empty if name in _OF_VALUES else None
            columns[name] = pa.array(told, mask=mask).cast(_TYPES.get(name, pa.array(told).type))
    facts = {
        "meltwatch.version": str(VERSION),
        "meltwatch.enterprise": enterprise,
        "meltwatch.kind": "minutes",
        "meltwatch.rows": str(len(minutes)),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(columns).replace_schema_metadata(facts),
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        column_encoding=dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
        use_dictionary=["point", "least", "most", "first", "last", "count", "good", "quality_last"],
        sorting_columns=[pq.SortingColumn(0), pq.SortingColumn(1)],
        write_page_checksum=True,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(table: Any) -> Minutes:
    """Return the minutes of a table, or of some row groups; columns not read are zero."""
    column = table.column("point").unify_dictionaries()
    names = tuple(column.chunk(0).dictionary.to_pylist()) if column.num_chunks else ()
    places = [chunk.indices.to_numpy() for chunk in column.chunks]
    told: dict[str, Any] = {
        "point": np.concatenate(places).astype("<i4") if places else np.empty(0, "<i4")
    }
    for name in COLUMNS[1:]:
        if name not in table.column_names:
            kind = "<f8" if name in _FLOATS else "<u2" if name == "quality_last" else "<i8"
            told[name] = np.zeros(table.num_rows, kind)
            continue
        read = table.column(name)
        if name in _OF_VALUES and name not in _FLOATS:
            read = read.fill_null(0)
        kind = "<f8" if name in _FLOATS else "<u2" if name == "quality_last" else "<i8"
        told[name] = read.to_numpy().astype(kind, copy=False)
    return Minutes(points=names, **told)


def joined(parts: Sequence[Minutes]) -> Minutes:
    """Return several, over common names, sorted by (point, minute)."""
    names = tuple(sorted({name for part in parts for name in part.points}))
    known = {name: place for place, name in enumerate(names)}
    moved = [np.asarray([known[name] for name in part.points], "<i4")[part.point] for part in parts]
    told: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS[1:]
    }
    whole = Minutes(points=names, point=np.concatenate(moved), **told)
    return whole.pick(np.lexsort((whole.minute, whole.point)))


def _values(told: dict[str, Any], rows: Ruling, group: NDArray[np.intp]) -> None:
    """Fill in what the values of each group say; `rows`: only those that count."""
    begins = _begins(group)
    ends = np.append(begins[1:], len(rows))
    of = group[begins]
    told["good"][of] = ends - begins
    told["first"][of], told["at_first"][of] = rows.value[begins], rows.at[begins]
    told["last"][of], told["at_last"][of] = rows.value[ends - 1], rows.at[ends - 1]
    told["quality_last"][of] = rows.quality[ends - 1]
    told["total"][of] = np.add.reduceat(rows.value, begins)
    own = np.cumsum(_marks(begins, len(rows))) - 1
    for name, extreme in (("least", np.minimum), ("most", np.maximum)):
        found = extreme.reduceat(rows.value, begins)
        places = np.where(rows.value == found[own], np.arange(len(rows)), len(rows))
        told[name][of] = found
        told[f"at_{name}"][of] = rows.at[np.minimum.reduceat(places, begins)]
    between = np.diff(rows.at, prepend=rows.at[0])
    between[begins] = 0
    told["gap"][of] = np.maximum.reduceat(between, begins)


def _begins(*columns: NDArray[Any]) -> NDArray[np.intp]:
    """Return where a row differs from the one before it."""
    changed = np.ones(len(columns[0]), dtype=np.bool_)
    changed[1:] = False
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _marks(begins: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    marks = np.zeros(size, dtype=np.intp)
    marks[begins] = 1
    return marks
