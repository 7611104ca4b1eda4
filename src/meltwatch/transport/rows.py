"""A row of a frame: point, at, value, quality, unit, as its source tells it."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from meltwatch.model.quality import Quality
from meltwatch.model.sample import SampleBatch
from meltwatch.transport.columns import Bits, Instant, moved_at

LEAST_CELLS = 3


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A row whose cells all have their types: what `read` makes of a row of `Frame`.

    `at`: ms UTC. `value`: None or finite. `quality`, `unit`: None where left out.
    """

    point: str
    at: Instant
    value: float | None
    quality: Bits | None = None
    unit: str | None = None


def cells_of(row: object) -> object:
    """Return a row as its source told it, cells left out at its end left out; anything else too."""
    if not isinstance(row, Row):
        return row
    cells = [row.point, row.at, row.value, row.quality, row.unit]
    while len(cells) > LEAST_CELLS and cells[-1] is None:
        cells.pop()
    return cells


def rows_of(samples: SampleBatch) -> list[list[Any]]:
    """Return the samples as rows of a frame, good quality left out; no value (NaN) becomes null.

    An infinity becomes null too: both are bad, which the row's quality then says.
    """
    return [
        _row(code, at, value, quality | (0 if math.isfinite(value) else Quality.BAD))
        for code, at, value, quality in samples.rows()
    ]


def moved_row(row: list[Any], by_ms: int, bits: int) -> list[Any]:
    """Return a row of ours with its instant moved and quality bits added."""
    code, at, value, quality, *unit = [*row, 0][: max(len(row), 4)]
    return _trimmed([code, moved_at(at, by_ms), value, (quality or 0) | bits, *unit])


def _trimmed(row: list[Any]) -> list[Any]:
    return row[:3] if len(row) == 4 and not row[3] else row


def _row(code: str, at: int, value: float, quality: int) -> list[Any]:
    told = value if math.isfinite(value) else None
    return [code, at, told, int(quality)] if quality else [code, at, told]
