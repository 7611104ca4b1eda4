"""Samples in columns: (point, at, value, quality), never one Python object a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.model.ids import PointCode

Row = tuple[PointCode, int, float, int]


class SampleBatch(msgspec.Struct, frozen=True):
    """Rows of samples as little-endian columns over a layout of point codes.

    `layout` lists the codes; `columns` holds, for n rows, the point's place in the layout
    (int32), `at` (int64 ms UTC), value (float64) and quality (uint16). Raw bytes, so that a batch
    has one encoding: equal rows give equal bytes.
    """

    layout: tuple[PointCode, ...]
    point_bytes: bytes
    at_bytes: bytes
    value_bytes: bytes
    quality_bytes: bytes

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.at_bytes) // 8

    @property
    def point(self) -> NDArray[np.int32]:
        """Return each row's place in the layout, shape (n,)."""
        return np.frombuffer(self.point_bytes, dtype="<i4")

    @property
    def at(self) -> NDArray[np.int64]:
        """Return each row's instant, ms UTC, shape (n,)."""
        return np.frombuffer(self.at_bytes, dtype="<i8")

    @property
    def value(self) -> NDArray[np.float64]:
        """Return each row's value in the point's unit, shape (n,)."""
        return np.frombuffer(self.value_bytes, dtype="<f8")

    @property
    def quality(self) -> NDArray[np.uint16]:
        """Return each row's quality bits, shape (n,)."""
        return np.frombuffer(self.quality_bytes, dtype="<u2")

    def rows(self) -> Iterator[Row]:
        """Yield the rows one by one, for the plain twin and for people."""
        codes = (self.layout[place] for place in self.point.tolist())
        yield from zip(
            codes, self.at.tolist(), self.value.tolist(), self.quality.tolist(), strict=True
        )


def batch_of(rows: Iterable[Row]) -> SampleBatch:
    """Return the rows, in their order, as a batch whose layout lists points as they first come."""
    told = list(rows)
    places: dict[PointCode, int] = {}
    point = [places.setdefault(row[0], len(places)) for row in told]
    return SampleBatch(
        layout=tuple(places),
        point_bytes=np.asarray(point, dtype="<i4").tobytes(),
        at_bytes=np.asarray([row[1] for row in told], dtype="<i8").tobytes(),
        value_bytes=np.asarray([row[2] for row in told], dtype="<f8").tobytes(),
        quality_bytes=np.asarray([row[3] for row in told], dtype="<u2").tobytes(),
    )


EMPTY = batch_of(())
