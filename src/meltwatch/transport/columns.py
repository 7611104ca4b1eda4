"""Rows of a frame as columns: the same as rows, told shorter and read faster.

Each column has one cell for each of n rows; a row's point is a place in a list of points, the
frame's own (`points`) or one that its gateway has announced (`layout`, see `layouts.py`). Whatever
a cell holds that it should not costs its row and no other, as in rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np

from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from meltwatch.model.sample import SampleBatch

MAX_EXACT = 2**53 - 1
"""The greatest integer that every reader of JSON keeps exactly: seq and instants end here."""
Instant = Annotated[int, msgspec.Meta(ge=0, le=MAX_EXACT)]
Bits = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class Columns(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The cells of n rows, unjudged; a column left out has null everywhere.

    `point`: places in the list of points, from 0. `at`: ms UTC. `value`: in the point's unit.
    `quality`: bits. `unit`: as in a row. `source_at`: the source's own time that `at` stands for.
    """

    point: list[Any]
    at: list[Any]
    value: list[Any]
    quality: list[Any] | None = None
    unit: list[Any] | None = None
    source_at: list[Any] | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.at)

    def cells(self, place: int) -> list[Any]:
        """Return the six cells of a row."""
        return [None if one is None else one[place] for one in self.all()]

    def all(self) -> Sequence[list[Any] | None]:
        """Return the columns in their order; None for one left out."""
        return self.point, self.at, self.value, self.quality, self.unit, self.source_at


class TypedColumns(Columns, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns whose every cell has its type, `at` any integer: nearly all that ever come."""

    point: list[Annotated[int, msgspec.Meta(ge=0, le=0x7FFFFFFF)]]
    at: list[int]
    value: list[float | None]
    quality: list[Bits | None] | None = None
    unit: list[str | None] | None = None
    source_at: list[Instant | None] | None = None


class Arrays(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Columns as arrays of shape (n,): int32, int64, float64, int64, int64.

    `null`: where no value was told; None: nowhere. Where `point` or `at` was null stands -1, where
    `quality` was 0, where `source_at` was `NOT_TOLD`.
    """

    point: Any
    at: Any
    value: Any
    null: Any = None
    quality: Any = None
    source_at: Any = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.at)

    def cells(self, place: int) -> list[Any]:
        """Return the six cells of a row."""
        null = self.null is not None and bool(self.null[place])
        told = None if self.source_at is None else int(self.source_at[place])
        return [
            int(self.point[place]),
            int(self.at[place]),
            None if null else float(self.value[place]),
            None if self.quality is None else int(self.quality[place]),
            None,
            None if told == NOT_TOLD else told,
        ]


class OverPoints(NamedTuple):
    """Columns and the list of points that they are told over."""

    points: Sequence[PointCode]
    columns: Columns


NOT_TOLD = -(2**63)


def columns_of(
    samples: SampleBatch, layout: Sequence[PointCode], originals: Mapping[int, int]
) -> Columns:
    """Return samples as columns over a layout that has all their points.

    What has no finite value tells null, and that it is bad. `originals`: the source's own time, ms
    UTC, of the rows whose `at` stands in for it.
    """
    places = {code: place for place, code in enumerate(layout)}
    local = np.array([places[code] for code in samples.layout], dtype=np.int64)
    value, quality = samples.value, samples.quality
    sound = np.isfinite(value)
    told: list[Any] = value.tolist()
    for row in np.flatnonzero(~sound).tolist():
        told[row] = None
    bits = np.where(sound, quality, quality | int(Quality.BAD))
    return Columns(
        point=local[samples.point].tolist() if len(samples) else [],
        at=samples.at.tolist(),
        value=told,
        quality=bits.tolist() if bits.any() else None,
        source_at=[originals.get(row) for row in range(len(samples))] if originals else None,
    )


def moved_at(at: int, by_ms: int) -> int:
    """Return an instant moved, ms UTC, within what an instant can be."""
    return min(max(at + by_ms, 0), MAX_EXACT)


def moved_columns(columns: Columns, by_ms: int, bits: int) -> Columns:
    """Return columns of ours with their instants moved and quality bits added."""
    quality = columns.quality
    if bits:
        quality = [(told or 0) | bits for told in quality or [0] * len(columns)]
    at = [moved_at(told, by_ms) for told in columns.at]
    return msgspec.structs.replace(columns, at=at, quality=quality)
