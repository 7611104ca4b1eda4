"""What rules of some points, as CSV or Parquet, an hour at a time however long the window is.

CSV: UTF-8, a header, `point,at,time,value,quality`: `at` in ms UTC, `time` the same in ISO 8601.
Parquet: the same without `time`. Sorted by (hour, point, at).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

from meltwatch.history.catalogue import HOUR_MS
from meltwatch.history.look import Points, look
from meltwatch.history.ruling import Ruling
from meltwatch.ledger.port import StreamReader
from meltwatch.model.ids import EnterpriseId

Format = Literal["csv", "parquet"]
HEADER = b"point,at,time,value,quality\n"
_SCHEMA = pa.schema(
    [
        ("point", pa.dictionary(pa.int32(), pa.string())),
        ("at", pa.int64()),
        ("value", pa.float64()),
        ("quality", pa.uint16()),
    ]
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def exported(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    points: Points,
    window: tuple[int, int],
    form: Format,
) -> Iterator[bytes]:
    """Yield the bytes of a file over `[at_from, at_to]` (ms UTC).

    Raises what history and ledger raise, before the first bytes or between.
    """
    seen = look(directory, reader, enterprise, window)
    hours = {one.at_from // HOUR_MS for one in seen.view.segments}
    hours |= {one.at_to // HOUR_MS for one in seen.view.segments}
    hours |= set((seen.tail.rows.at // HOUR_MS).tolist())
    parts = (
        seen.ruling(points, max(window[0], hour * HOUR_MS), min(window[1], _end(hour)))
        for hour in _filled(hours)
    )
    yield from _csv(parts) if form == "csv" else _parquet(parts)


def _filled(hours: set[int]) -> list[int]:
    """Return the hours; a file of version 1 may hold some between its ends."""
    return list(range(min(hours), max(hours) + 1)) if hours else []


def _end(hour: int) -> int:
    return (hour + 1) * HOUR_MS - 1


def _csv(parts: Iterator[Ruling]) -> Iterator[bytes]:
    yield HEADER
    for part in parts:
        names = [_quoted(name) for name in part.points]
        columns = (part.point, part.at, part.value, part.quality)
        told = zip(*(column.tolist() for column in columns), strict=True)
        lines = [
            f"{names[point]},{at},{_iso(at)},{value!r},{quality}\n"
            for point, at, value, quality in told
        ]
        yield "".join(lines).encode()


def _parquet(parts: Iterator[Ruling]) -> Iterator[bytes]:
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), _SCHEMA, compression="zstd") as writer:
        for part in parts:
            if len(part):
                writer.write_table(_table(part))
                yield sink.drain()
    yield sink.drain()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken: a file of any length, and never all of it here."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def drain(self) -> bytes:
        """Return what was written since."""
        told, self._parts = b"".join(self._parts), []
        return told


def _table(part: Ruling) -> Any:
    point = pa.DictionaryArray.from_arrays(pa.array(part.point), pa.array(part.points, pa.string()))
    return pa.table(
        {"point": point, "at": part.at, "value": part.value, "quality": part.quality},
        schema=_SCHEMA,
    )


def _iso(at: int) -> str:
    """Return an instant in ISO 8601 with its milliseconds; empty beyond the calendar."""
    try:
        told = _EPOCH + timedelta(milliseconds=at)
    except OverflowError:
        return ""
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _quoted(name: str) -> str:
    if any(letter in name for letter in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
