"""One file of the log: entries by position, only ever appended to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from meltwatch.ledger.admission import Held
from meltwatch.ledger.database import (
    Format,
    Opening,
    fold,
    open_reader,
    open_writer,
    scalar,
    transaction,
)
from meltwatch.ledger.port import Stored

FORMAT = Format(
    application_id=0x4D574C47,  # MWLG
    version=1,
    # `data` stands last: a scan of the other columns then never walks a frame's overflow pages.
    schema="""\
CREATE TABLE entries (
    pos         INTEGER PRIMARY KEY,
    partition   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    data        BLOB    NOT NULL,
    UNIQUE (source, seq)
) STRICT;
CREATE INDEX entries_partition ON entries (partition, pos);
""",
)

_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_READ = (
    "SELECT pos, source, seq, kind, received_at, digest, data FROM entries "
    "WHERE partition = ? AND pos > ? ORDER BY pos LIMIT ?"
)


class Header(NamedTuple):
    """What the index is made from."""

    pos: int
    partition: str
    source: str
    seq: int


class Facts(NamedTuple):
    """What retention asks of a file: each partition's last position, receipt (ms UTC), entries."""

    ends: dict[str, int]
    newest_received_at: int
    entries: int


class LogFile:
    """A log file, open for writing (by the one writer) or for reading."""

    def __init__(self, first: int, connection: sqlite3.Connection) -> None:
        """Wrap an open connection; `first` is the lowest position that the file may hold."""
        self.first = first
        self.connection = connection
        self._began: int | None = None

    @classmethod
    def for_writing(cls, path: Path, first: int, opening: Opening) -> LogFile:
        """Open or create the file at `path`."""
        return cls(first, open_writer(path, FORMAT, opening))

    @classmethod
    def for_reading(cls, path: Path, first: int, opening: Opening) -> LogFile:
        """Open the existing file at `path` on a connection that cannot write."""
        return cls(first, open_reader(path, FORMAT, opening))

    def append(self, partition: str, entries: Sequence[Stored]) -> None:
        """Store the entries in one transaction, durable on return."""
        with transaction(self.connection):
            self.connection.executemany(
                _INSERT,
                (
                    (e.pos, partition, e.source, e.seq, e.kind, e.received_at, e.digest, e.data)
                    for e in entries
                ),
            )

    def is_due(self, received_at: int, rotate_ms: int, rotate_bytes: int) -> bool:
        """Tell whether the next entry belongs in a new file.

        Only a later period rotates: a clock that was set back must not flap between files.
        """
        began = self._first_received_at()
        if began is None:
            return False
        if received_at // rotate_ms > began // rotate_ms:
            return True
        return self.size_bytes() >= rotate_bytes

    def size_bytes(self) -> int:
        """Return the size that the file has once its WAL is folded in."""
        pages = scalar(self.connection, "PRAGMA page_count")
        return pages * scalar(self.connection, "PRAGMA page_size")

    def read(self, partition: str, after: int, limit: int) -> list[Stored]:
        """Return up to `limit` entries of the partition behind `after`, by position."""
        rows = self.connection.execute(_READ, (partition, after, limit)).fetchall()
        return [
            Stored(
                pos=pos,
                source=source,
                seq=seq,
                kind=kind,
                received_at=received_at,
                digest=digest,
                data=data,
            )
            for pos, source, seq, kind, received_at, digest, data in rows
        ]

    def held(self, source: str, seq: int) -> Held | None:
        """Return where this file holds the number, if it does."""
        row = self.connection.execute(
            "SELECT pos, digest FROM entries WHERE source = ? AND seq = ?", (source, seq)
        ).fetchone()
        return Held(*row) if row else None

    def digests(self, source: str, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the digests of a source's numbers in a range, by number."""
        return self.connection.execute(
            "SELECT seq, digest FROM entries WHERE source = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (source, first, last),
        ).fetchall()

    def headers(self, after: int) -> Iterator[Header]:
        """Yield the headers behind `after`, by position."""
        rows = self.connection.execute(
            "SELECT pos, partition, source, seq FROM entries WHERE pos > ? ORDER BY pos", (after,)
        )
        return (Header(*row) for row in rows)

    def last_pos(self) -> int:
        """Return the last position stored here, 0 for an empty file."""
        return scalar(self.connection, "SELECT max(pos) FROM entries")

    def last_of_source(self, source: str) -> tuple[int, int] | None:
        """Return (seq, pos) of the source's last entry here, None when there is none."""
        row = self.connection.execute(
            "SELECT seq, pos FROM entries WHERE source = ? ORDER BY seq DESC LIMIT 1", (source,)
        ).fetchone()
        return (row[0], row[1]) if row else None

    def facts(self) -> Facts:
        """Return what retention asks."""
        return Facts(self.ends(), self.newest_received_at(), self.count())

    def ends(self) -> dict[str, int]:
        """Return each partition's last position in this file."""
        return dict(
            self.connection.execute("SELECT partition, max(pos) FROM entries GROUP BY partition")
        )

    def last_received_at(self) -> int:
        """Return the receipt instant of the last entry, ms UTC; at once, whatever the size."""
        return scalar(self.connection, "SELECT received_at FROM entries ORDER BY pos DESC LIMIT 1")

    def newest_received_at(self) -> int:
        """Return the greatest receipt instant in this file, ms UTC."""
        return scalar(self.connection, "SELECT max(received_at) FROM entries")

    def count(self) -> int:
        """Return the number of entries in this file."""
        return scalar(self.connection, "SELECT count(*) FROM entries")

    def seal(self) -> None:
        """Fold the WAL in and close; a reader that still looks keeps what it needs."""
        fold(self.connection)
        self.connection.close()

    def _first_received_at(self) -> int | None:
        if self._began is None:
            row = self.connection.execute(
                "SELECT received_at FROM entries ORDER BY pos LIMIT 1"
            ).fetchone()
            self._began = row[0] if row else None
        return self._began
