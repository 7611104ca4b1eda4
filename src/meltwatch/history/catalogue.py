"""Which segments count, and up to where the log is sealed: one SQLite file beside them.

A segment counts from the transaction that registers it, the same that moves the sealed position:
so nothing is sealed twice or skipped, whatever crashed. WAL, synchronous FULL. One sealer writes;
any number of readers look on.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from meltwatch.history.errors import (
    Damaged,
    OtherEnterprise,
    OutOfOrder,
    Unavailable,
    UnknownFormat,
)

FILE = "catalogue.sqlite"
SEGMENTS = "segments"
VERSION = 1
BUSY_MS = 5_000

Kind = Literal["segment", "delta"]

_APPLICATION_ID = 0x4D574849  # "MWHI"
_SCHEMA = """
CREATE TABLE segments (
    path        TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('segment', 'delta')),
    pos_from    INTEGER NOT NULL,
    pos_to      INTEGER NOT NULL CHECK (pos_to >= pos_from),
    at_from     INTEGER NOT NULL,
    at_to       INTEGER NOT NULL CHECK (at_to >= at_from),
    rows        INTEGER NOT NULL CHECK (rows > 0),
    digest      TEXT    NOT NULL,
    bytes       INTEGER NOT NULL,
    file_digest TEXT    NOT NULL,
    sealed_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_pos ON segments (pos_from, kind);
CREATE INDEX segments_by_at ON segments (at_from, at_to);
CREATE TABLE sealed (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    enterprise TEXT    NOT NULL,
    pos        INTEGER NOT NULL
) STRICT;
CREATE TABLE points (
    point  TEXT    PRIMARY KEY,
    newest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
_COLUMNS = (
    "path, kind, pos_from, pos_to, at_from, at_to, rows, digest, bytes, file_digest, sealed_at"
)
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the catalogue; `path` is relative to the directory of the segments.

    Positions and instants (ms UTC) are both included. `digest` is over the columns, `file_digest`
    over the `bytes` bytes of the file. `sealed_at`: owner's clock, ms UTC.
    """

    path: str
    kind: Kind
    pos_from: int
    pos_to: int
    at_from: int
    at_to: int
    rows: int
    digest: str
    bytes: int
    file_digest: str
    sealed_at: int


class Catalogue:
    """The catalogue of a directory; close it after use."""

    def __init__(self, directory: Path, enterprise: str | None = None) -> None:
        """Open it: with an enterprise for writing, made if need be, without one for reading.

        Raises `Unavailable` (for a reader also: nothing is there yet), `UnknownFormat`,
        `OtherEnterprise`, `Damaged`.
        """
        self.path = directory / FILE
        with _guarded(self.path):
            self._connection = _connect(self.path, "rw" if enterprise is None else "rwc")
            try:
                self._begin(enterprise)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def sealed_to(self) -> int:
        """Return the last position that is sealed, 0 if none."""
        with _guarded(self.path):
            row = self._connection.execute("SELECT pos FROM sealed").fetchone()
        return int(row[0]) if row else 0

    def enterprise(self) -> str:
        """Return whose history this is; empty before its sealer has begun."""
        with _guarded(self.path):
            row = self._connection.execute("SELECT enterprise FROM sealed").fetchone()
        return str(row[0]) if row else ""

    def segments(self, at_from: int | None = None, at_to: int | None = None) -> list[Segment]:
        """Return the segments that reach into `[at_from, at_to]` (ms UTC), in the log's order.

        At one position a `segment` comes before its `delta`.
        """
        sql = (
            f"SELECT {_COLUMNS} FROM segments "  # noqa: S608  # our own constant
            "WHERE (?1 IS NULL OR at_to >= ?1) AND (?2 IS NULL OR at_from <= ?2) "
            "ORDER BY pos_from, kind DESC"
        )
        with _guarded(self.path):
            rows = self._connection.execute(sql, (at_from, at_to)).fetchall()
        fields = Segment.__struct_fields__
        return [msgspec.convert(dict(zip(fields, row, strict=True)), Segment) for row in rows]

    def newest(self) -> dict[str, int]:
        """Return for each point the latest instant that is sealed of it, ms UTC."""
        with _guarded(self.path):
            return dict(self._connection.execute("SELECT point, newest FROM points"))

    def register(
        self, segments: Sequence[Segment], newest: Mapping[str, int], sealed: tuple[int, int]
    ) -> None:
        """Make segments count and move the sealed position from `sealed[0]` to `sealed[1]`.

        One transaction. `newest`: of the points whose latest instant moved. The files must be
        durable already. Raises `OutOfOrder` if the log is sealed up to elsewhere.
        """
        marks = ", ".join("?" * len(Segment.__struct_fields__))
        with _guarded(self.path), self._transaction():
            if self.sealed_to() != sealed[0] or sealed[1] <= sealed[0]:
                raise OutOfOrder(self.sealed_to(), sealed[1])
            self._connection.executemany(
                f"INSERT INTO segments ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  # likewise
                [msgspec.structs.astuple(segment) for segment in segments],
            )
            self._connection.executemany(
                "INSERT INTO points VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET newest = max(newest, excluded.newest)",
                newest.items(),
            )
            self._connection.execute("UPDATE sealed SET pos = ?", (sealed[1],))

    def _begin(self, enterprise: str | None) -> None:
        connection = self._connection
        if enterprise is None:
            connection.execute("PRAGMA query_only = ON")
            self._expect()
            return
        # The stamp is part of the transaction: a file without one holds nothing yet.
        if _stamp(connection) == (0, 0) and not _has_tables(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute("INSERT INTO sealed VALUES (1, ?, 0)", (enterprise,))
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            sync_directory(self.path.parent)
        self._expect()
        connection.execute("PRAGMA synchronous = FULL")
        if self.enterprise() != enterprise:
            raise OtherEnterprise(str(self.path.parent), self.enterprise(), enterprise)

    def _expect(self) -> None:
        application, version = _stamp(self._connection)
        if application != _APPLICATION_ID or version != VERSION:
            found = version if application == _APPLICATION_ID else 0
            raise UnknownFormat(str(self.path), found, VERSION)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has already rolled back after some errors (a full disk among them).
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, as its files already are."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _guarded(place: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", -1) & 0xFF in _BROKEN:
            raise Damaged(str(place), str(error)) from error
        raise Unavailable(str(place), str(error)) from error
    except OSError as error:
        raise Unavailable(str(place), str(error)) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Readers open `rw` too: with `ro` SQLite cannot recover what a crash left in the WAL.
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


def _stamp(connection: sqlite3.Connection) -> tuple[int, int]:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return int(application), int(connection.execute("PRAGMA user_version").fetchone()[0])


def _has_tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
