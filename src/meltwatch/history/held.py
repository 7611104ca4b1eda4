"""What every point held when an hour began: its last value before, however long before.

So a window knows what was so at its start without reading back through silent hours.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray

from meltwatch.history.minutes import Minutes
from meltwatch.history.ruling import Ruling
from meltwatch.history.segment import VERSION


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The last value of each point, by point; every array has shape (n,). `at`: ms UTC."""

    points: tuple[str, ...]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]

    def __len__(self) -> int:
        """Return the number of points that have ever had a value."""
        return len(self.points)

    def same(self, other: Held) -> bool:
        """Return whether two say the same, to the bit."""
        return self.points == other.points and all(
            getattr(self, name).tobytes() == getattr(other, name).tobytes()
            for name in ("at", "value", "quality")
        )


def nothing_held() -> Held:
    """Return what is held before anything was told."""
    return Held(points=(), at=np.empty(0, "<i8"), value=np.empty(0), quality=np.empty(0, "<u2"))


def after_minutes(before: Held, minutes: Minutes) -> Held:
    """Return what is held after an hour, from its roll-ups."""
    told = minutes.pick(np.greater(minutes.good, 0))
    return _updated(before, told.points, told.point, (told.at_last, told.last, told.quality_last))


def after_samples(before: Held, samples: Ruling) -> Held:
    """Return what is held after some samples, which may lie before what is held already."""
    told = samples.pick(samples.counts)
    return _updated(before, told.points, told.point, (told.at, told.value, told.quality))


def encode(held: Held, enterprise: str) -> bytes:
    """Return the bytes of a Parquet file."""
    facts = {
        "meltwatch.version": str(VERSION),
        "meltwatch.enterprise": enterprise,
        "meltwatch.kind": "held",
        "meltwatch.rows": str(len(held)),
    }
    columns = {
        "point": pa.array(held.points, pa.string()),
        "at": pa.array(held.at),
        "value": pa.array(held.value),
        "quality": pa.array(held.quality),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(columns).replace_schema_metadata(facts),
        sink,
        compression="zstd",
        write_page_checksum=True,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(table: Any) -> Held:
    """Return what a table says that was read from such a file."""
    return Held(
        points=tuple(table.column("point").to_pylist()),
        at=table.column("at").to_numpy().astype("<i8", copy=False),
        value=table.column("value").to_numpy().astype("<f8", copy=False),
        quality=table.column("quality").to_numpy().astype("<u2", copy=False),
    )


def _updated(
    before: Held, names: tuple[str, ...], point: NDArray[np.int32], told: tuple[NDArray[Any], ...]
) -> Held:
    """Return what is held after values that are sorted by (point, at)."""
    lasts = np.flatnonzero(np.append(point[1:] != point[:-1], [True] * min(len(point), 1)))
    at, value, quality = (column[lasts] for column in told)
    new = [names[place] for place in point[lasts].tolist()]
    known = {name: nth for nth, name in enumerate(before.points)}
    points = tuple(sorted({*known, *new}))
    place = {name: nth for nth, name in enumerate(points)}
    whole_at = np.full(len(points), np.iinfo(np.int64).min)
    whole_value, whole_quality = np.zeros(len(points)), np.zeros(len(points), "<u2")
    old = [place[name] for name in before.points]
    whole_at[old], whole_value[old], whole_quality[old] = before.at, before.value, before.quality
    mine = np.asarray([place[name] for name in new], dtype=np.intp)
    if len(mine):
        newer = at >= whole_at[mine]
        mine = mine[newer]
        whole_at[mine], whole_value[mine] = at[newer], value[newer]
        whole_quality[mine] = quality[newer]
    return Held(points=points, at=whole_at, value=whole_value, quality=whole_quality)
