"""A segment: settled rows <-> the bytes of a Parquet file that any engine can read.

Pure: no file is opened here. `docs/formats/segment.md` tells the format to those who read it
without us. The version is in every file; readers of all versions stay.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

from meltwatch.history.errors import Damaged, UnknownFormat
from meltwatch.history.rows import COLUMNS, DTYPES, Names, Places, Rows

VERSION = 2
ROW_GROUP = 65_536
"""Rows of a row group: a window of one point reads one or two; smaller ones cost more in footers
than they save, larger ones more in decoding (measured: bytes and ms of an hour of 1,000 points)."""

_ALGORITHM = "sha256"
_PREFIX = "meltwatch."
_NAMED = ("point", "source", "epoch")
_DICTIONARIES = ("enterprise", "point", "quality", "source", "epoch")
_SCHEMA = pa.schema(
    [
        ("enterprise", pa.dictionary(pa.int32(), pa.string())),
        ("point", pa.dictionary(pa.int32(), pa.string())),
        ("at", pa.int64()),
        ("value", pa.float64()),
        ("quality", pa.uint16()),
        ("source", pa.dictionary(pa.int32(), pa.string())),
        ("epoch", pa.dictionary(pa.int32(), pa.string())),
        ("seq", pa.int64()),
        ("nth", pa.int32()),
    ]
)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment says of itself in its Parquet key-value metadata (`meltwatch.*`).

    `pos_from`, `pos_to`: the positions of the log that it was made from, both included. `at_from`,
    `at_to`: its first and last instant, ms UTC. `digest`: `sha256:` and hex, over the columns.
    """

    version: int
    enterprise: str
    kind: str
    pos_from: int
    pos_to: int
    rows: int
    at_from: int
    at_to: int
    digest: str


def facts_of(rows: Rows, *, enterprise: str, kind: str, positions: tuple[int, int]) -> Facts:
    """Return the facts of settled rows, at least one; `kind`: `segment` or `delta`."""
    return Facts(
        version=VERSION,
        enterprise=enterprise,
        kind=kind,
        pos_from=positions[0],
        pos_to=positions[1],
        rows=len(rows),
        at_from=int(rows.at.min()),
        at_to=int(rows.at.max()),
        digest=digest_of(rows, enterprise),
    )


def encode(rows: Rows, facts: Facts) -> bytes:
    """Return the bytes of a segment; `rows` sorted and tidy, as `settle` returns them."""
    told = {f"{_PREFIX}{key}": str(value) for key, value in msgspec.structs.asdict(facts).items()}
    sink = pa.BufferOutputStream()
    pq.write_table(
        _table(rows, facts.enterprise).replace_schema_metadata(told),
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        # Instants and frame numbers climb by steps: their differences pack into almost nothing.
        column_encoding=dict.fromkeys(("at", "seq", "nth"), "DELTA_BINARY_PACKED"),
        use_dictionary=[*_DICTIONARIES, "value"],
        sorting_columns=[pq.SortingColumn(1), pq.SortingColumn(2)],
        write_page_checksum=True,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_facts(metadata: Any, place: str) -> Facts:
    """Return what a Parquet file (its `FileMetaData`) says of itself; `place` is for errors.

    Raises `UnknownFormat` for a newer version or a file of somebody else, `Damaged` if what it
    says cannot be read.
    """
    told: Mapping[bytes, bytes] = metadata.metadata or {}
    version = told.get(f"{_PREFIX}version".encode(), b"0")
    if not version.isdigit() or not 1 <= int(version) <= VERSION:
        raise UnknownFormat(place, int(version) if version.isdigit() else 0, VERSION)
    fields = {
        key.decode().removeprefix(_PREFIX): value.decode()
        for key, value in told.items()
        if key.startswith(_PREFIX.encode())
    }
    try:
        return msgspec.convert(fields, Facts, strict=False)
    except msgspec.ValidationError as error:
        raise Damaged(place, str(error)) from error


def rows_of(table: Any) -> Rows:
    """Return the rows of a table, or of some of its row groups, that was read from a segment.

    Columns that were not read are zero.
    """
    table = table.combine_chunks()
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name not in table.column_names:
            columns[name] = np.zeros(table.num_rows, DTYPES[name])
            columns |= {f"{name}s": ("",)} if name in _NAMED else {}
        elif name in _NAMED:
            columns[f"{name}s"], columns[name] = _named(table.column(name))
        else:
            columns[name] = table.column(name).to_numpy().astype(DTYPES[name], copy=False)
    return Rows(**columns)


def digest_of(rows: Rows, enterprise: str, algorithm: str = _ALGORITHM) -> str:
    """Return `algorithm:hex` over the rows as they stand, free of Parquet's own freedoms.

    Each text is its length (uint32) and UTF-8, each dictionary its number of names (uint32) and
    the names, each column its little-endian items; tidy rows have one such encoding.
    """
    told = hashlib.new(algorithm)
    told.update(_text(enterprise) + struct.pack("<Q", len(rows)))
    for names in (rows.points, rows.sources, rows.epochs):
        told.update(struct.pack("<I", len(names)) + b"".join(map(_text, names)))
    for name in COLUMNS:
        told.update(np.ascontiguousarray(getattr(rows, name), dtype=DTYPES[name]).data)
    return f"{algorithm}:{told.hexdigest()}"


def digest_of_bytes(data: bytes) -> str:
    """Return `sha256:hex` over the bytes of a file."""
    return f"{_ALGORITHM}:{hashlib.new(_ALGORITHM, data).hexdigest()}"


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _table(rows: Rows, enterprise: str) -> Any:
    columns = {
        "enterprise": _dictionary((enterprise,), np.zeros(len(rows), dtype="<i4")),
        "point": _dictionary(rows.points, rows.point),
        "source": _dictionary(rows.sources, rows.source),
        "epoch": _dictionary(rows.epochs, rows.epoch),
    }
    plain = {name: pa.array(getattr(rows, name)) for name in COLUMNS if name not in _NAMED}
    return pa.table(columns | plain, schema=_SCHEMA)


def _dictionary(names: Names, places: Places) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(names, pa.string()))


def _named(column: Any) -> tuple[Names, Places]:
    """Return names and places; a column has a chunk, and a dictionary, for each row group."""
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return (), np.empty(0, "<i4")
    places = [chunk.indices.to_numpy() for chunk in column.chunks]
    return tuple(column.chunk(0).dictionary.to_pylist()), np.concatenate(places).astype("<i4")
