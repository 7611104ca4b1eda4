"""A frame as an Arrow IPC stream: one record batch, its head as JSON in the schema's metadata.

    metadata  meltwatch   the fields of a frame but `columns`, as one JSON object
    columns   point int32, at int64, value float64, and as wanted quality uint16, source_at int64

No other column, type, compression within or second batch: what is read is what was signed, at no
more memory than the body's.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # ships without types

from meltwatch.transport.columns import NOT_TOLD, Arrays
from meltwatch.transport.errors import Malformed, Unreadable, problem, shown

MAGIC = b"\xff\xff\xff\xff"
"""How an IPC stream begins, and no JSON does."""
META = b"meltwatch"
_TYPES = {
    "point": pa.int32(),
    "at": pa.int64(),
    "value": pa.float64(),
    "quality": pa.uint16(),
    "source_at": pa.int64(),
}
_WANTED = ("point", "at", "value")
_HEADER_SLOT, _COMPRESSION_SLOT = 2, 3
_VTABLE_HEAD = 2
_BAD_STREAM = (pa.ArrowException, OSError, ValueError, struct.error, IndexError, StopIteration)


def split(body: bytes) -> tuple[bytes, Arrays]:
    """Return the head of a frame, as JSON, and its columns.

    Raises Unreadable for what is no such stream, Malformed for other columns.
    """
    try:
        reader = pa.ipc.MessageReader.open_stream(pa.BufferReader(body))
        first, second = reader.read_next_message(), reader.read_next_message()
        if second.type != "record batch" or _is_compressed(second.metadata.to_pybytes()):
            raise _broken("one record batch, not compressed within")
        schema = pa.ipc.read_schema(first)
        if problems := _odd(schema):
            told = {"told": shown(", ".join(problems))}
            raise Malformed(problem("columns", "frame.arrow_columns", dict(told)))
        batch = pa.ipc.read_record_batch(second, schema)
        batch.validate(full=True)
        if not _is_at_end(reader):
            raise _broken("more than one batch")
        return (schema.metadata or {}).get(META, b""), _arrays(batch)
    except _BAD_STREAM as error:
        raise _broken(str(error)) from error


def join(head: bytes, columns: Arrays) -> bytes:
    """Return the body of a frame: what `split` takes apart."""
    told: dict[str, Any] = {
        "point": pa.array(columns.point, pa.int32()),
        "at": pa.array(columns.at, pa.int64()),
        "value": pa.array(columns.value, pa.float64(), mask=columns.null, from_pandas=False),
    }
    if columns.quality is not None:
        told["quality"] = pa.array(columns.quality, pa.uint16())
    if columns.source_at is not None:
        mask = columns.source_at == NOT_TOLD
        told["source_at"] = pa.array(columns.source_at, pa.int64(), mask=mask)
    schema = pa.schema([(name, _TYPES[name]) for name in told], metadata={META: head})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(told.values()), schema=schema))
    return bytes(sink.getvalue())


def _odd(schema: Any) -> list[str]:
    """Return what a schema has that it should not, or not what it should."""
    names = list(schema.names)
    return [
        *(f"{one.name} {one.type}" for one in schema if _TYPES.get(one.name) != one.type),
        *(f"{name} twice" for name in dict.fromkeys(names) if names.count(name) > 1),
        *(f"no {name}" for name in _WANTED if name not in names),
    ]


def _is_at_end(reader: Any) -> bool:
    try:
        reader.read_next_message()
    except StopIteration:
        return True
    return False


def _arrays(batch: Any) -> Arrays:
    value = batch.column("value")
    return Arrays(
        point=_filled(batch, "point", -1),
        at=_filled(batch, "at", -1),
        value=value.fill_null(np.nan).to_numpy(zero_copy_only=False),
        null=value.is_null().to_numpy(zero_copy_only=False) if value.null_count else None,
        quality=_filled(batch, "quality", 0),
        source_at=_filled(batch, "source_at", NOT_TOLD),
    )


def _filled(batch: Any, name: str, null: int) -> Any:
    if name not in batch.schema.names:
        return None
    column = batch.column(name)
    if column.null_count:
        column = column.fill_null(null)
    return column.to_numpy(zero_copy_only=False)


def _is_compressed(metadata: bytes) -> bool:
    """Tell whether a record batch's flatbuffer names a compression of its buffers.

    Asked before it is read, since reading makes room for whatever size it claims.
    """
    message = struct.unpack_from("<I", metadata, 0)[0]
    header = _field(metadata, message, _HEADER_SLOT)
    if header == 0:
        return True
    batch = header + struct.unpack_from("<I", metadata, header)[0]
    return _field(metadata, batch, _COMPRESSION_SLOT) != 0


def _field(metadata: bytes, table: int, slot: int) -> int:
    """Return where a table's field stands, 0 if it is left out."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    size = struct.unpack_from("<H", metadata, vtable)[0]
    place = 2 * (_VTABLE_HEAD + slot)
    if place + 2 > size:
        return 0
    offset = struct.unpack_from("<H", metadata, vtable + place)[0]
    return table + offset if offset else 0


def _broken(why: str) -> Unreadable:
    return Unreadable(problem("", "frame.arrow_broken", {"why": shown(why)}))


def head_of(fields: dict[str, Any]) -> bytes:
    """Return the fields of a frame's head as the JSON that goes beside its columns."""
    return msgspec.json.encode(fields)
