"""The index: what must outlive retention, and what makes the log quick to ask.

Everything that can be told from the log is written here after the log and without waiting for the
disk: `applied` says up to where, and opening repeats the rest (`healing.py`). What the log does
not hold (hellos, conflicts, what retention removed) is durable on return.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from meltwatch.ledger.database import Format, Sync, scalar, transaction
from meltwatch.ledger.logfile import Header
from meltwatch.ledger.port import Entry, KeptConflict, gateway_epoch

FORMAT = Format(
    application_id=0x4D574958,  # MWIX
    version=1,
    schema="""\
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sources (
    source   TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    last_pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE spans (
    source    TEXT    NOT NULL,
    file      INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    PRIMARY KEY (source, file)
) STRICT, WITHOUT ROWID;
CREATE TABLE partitions (
    partition TEXT PRIMARY KEY,
    last_pos  INTEGER NOT NULL,
    removed   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE epochs (
    gateway TEXT PRIMARY KEY,
    newest  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE conflicts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    partition   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    held_pos    INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    data        BLOB    NOT NULL,
    UNIQUE (source, seq, digest)
) STRICT;
""",
)

_PUT_SOURCE = (
    "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
    "SET last_seq = excluded.last_seq, last_pos = excluded.last_pos"
)
_PUT_END = (
    "INSERT INTO partitions VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET last_pos = excluded.last_pos"
)
_PUT_REMOVED = (
    "INSERT INTO partitions VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE "
    "SET removed = excluded.removed"
)
_PUT_EPOCH = (
    "INSERT INTO epochs VALUES (?, ?) ON CONFLICT DO UPDATE "
    "SET newest = excluded.newest WHERE excluded.newest > newest"
)
_PUT_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_PUT_CONFLICT = "INSERT INTO conflicts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


class Index:
    """Questions and notes over one connection to `index.sqlite`."""

    def __init__(self, connection: sqlite3.Connection, sync: Sync) -> None:
        """Wrap an open connection; notes that must be durable are made with `sync`."""
        self.connection = connection
        self._sync = sync

    def last_seq(self, source: str) -> int:
        """Return the source's last stored number, 0 before any."""
        sql = "SELECT last_seq FROM sources WHERE source = ?"
        return scalar(self.connection, sql, source)

    def sources(self) -> dict[str, int]:
        """Return every source with its last number."""
        return dict(self.connection.execute("SELECT source, last_seq FROM sources"))

    def partitions(self) -> list[str]:
        """Return every partition that has an entry."""
        return [name for (name,) in self.connection.execute("SELECT partition FROM partitions")]

    def files_of(self, source: str) -> tuple[int | None, list[int]]:
        """Return the least number of a source that is retained, and the files of all that are."""
        rows = self.connection.execute(
            "SELECT file, first_seq FROM spans WHERE source = ? ORDER BY file", (source,)
        ).fetchall()
        return (rows[0][1] if rows else None), [file for file, _ in rows]

    def sources_in(self, file: int) -> list[str]:
        """Return the sources that have entries in a file."""
        rows = self.connection.execute("SELECT source FROM spans WHERE file = ?", (file,))
        return [source for (source,) in rows]

    def file_of(self, source: str, seq: int) -> int | None:
        """Return the file that holds the number unless retention has removed it."""
        row = self.connection.execute(
            "SELECT file FROM spans WHERE source = ? AND first_seq <= ? ORDER BY file DESC LIMIT 1",
            (source, seq),
        ).fetchone()
        return row[0] if row else None

    def end(self, partition: str) -> int:
        """Return the partition's last position, 0 before any."""
        sql = "SELECT last_pos FROM partitions WHERE partition = ?"
        return scalar(self.connection, sql, partition)

    def removed(self, partition: str) -> int:
        """Return the partition's last position that retention has removed, 0 for none."""
        sql = "SELECT removed FROM partitions WHERE partition = ?"
        return max(scalar(self.connection, sql, partition), self.meta("floor"))

    def newest_epoch(self, gateway: str) -> str | None:
        """Return the gateway's greatest epoch."""
        row = self.connection.execute(
            "SELECT newest FROM epochs WHERE gateway = ?", (gateway,)
        ).fetchone()
        return row[0] if row else None

    def conflicts(self, after: int, limit: int) -> list[KeptConflict]:
        """Return kept conflicts with an id above `after`."""
        cursor = self.connection.execute(
            "SELECT * FROM conflicts WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        names = [column[0] for column in cursor.description]
        return [KeptConflict(**dict(zip(names, row, strict=True))) for row in cursor]

    def meta(self, key: str) -> int:
        """Return a figure: `applied`, `first_file` or `floor`; 0 before it was noted."""
        return scalar(self.connection, "SELECT value FROM meta WHERE key = ?", key)

    def apply(self, file: int, headers: Iterable[Header]) -> None:
        """Note what entries of one log file say; repeating it changes nothing."""
        sources: dict[str, tuple[int, int, int]] = {}
        partitions: dict[str, int] = {}
        last = 0
        for pos, partition, source, seq in headers:
            first = sources[source][0] if source in sources else seq
            sources[source] = (first, seq, pos)
            partitions[partition] = last = pos
        if not last:
            return
        epochs = [pair for source in sources if (pair := gateway_epoch(source))]
        with transaction(self.connection):
            many = self.connection.executemany
            many(_PUT_SOURCE, ((name, seq, pos) for name, (_, seq, pos) in sources.items()))
            many(
                "INSERT OR IGNORE INTO spans VALUES (?, ?, ?)",
                ((name, file, first) for name, (first, _, _) in sources.items()),
            )
            many(_PUT_END, partitions.items())
            many(_PUT_EPOCH, epochs)
            self.connection.execute(_PUT_META, ("applied", last))

    def note_epoch(self, gateway: str, epoch: str) -> None:
        """Note a hello, durable on return."""
        with self._durably():
            self.connection.execute(_PUT_EPOCH, (gateway, epoch))

    def keep_conflicts(self, partition: str, clashes: Sequence[tuple[Entry, int]]) -> None:
        """Keep conflicting entries, durable on return; the same one is kept once."""
        rows = [
            (partition, e.source, e.seq, e.kind, e.received_at, held_pos, e.digest, e.data)
            for e, held_pos in clashes
        ]
        with self._durably():
            self.connection.executemany(_PUT_CONFLICT, rows)

    def forget_files(self, first_file: int, removed: Mapping[str, int]) -> None:
        """Note that files below `first_file` go, durable on return: only then may they go."""
        with self._durably():
            self.connection.executemany(_PUT_REMOVED, removed.items())
            self.connection.execute("DELETE FROM spans WHERE file < ?", (first_file,))
            self.connection.execute(_PUT_META, ("first_file", first_file))

    def note(self, key: str, value: int) -> None:
        """Note a figure."""
        self.connection.execute(_PUT_META, (key, value))

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """Run one transaction that waits for the disk; the others leave that to the log."""
        self.connection.execute(f"PRAGMA synchronous = {self._sync}")
        try:
            with transaction(self.connection):
                yield
        finally:
            relax(self.connection, self._sync)


def relax(connection: sqlite3.Connection, sync: Sync) -> None:
    """Stop waiting for the disk at each commit: what is lost is always the end, never a middle."""
    connection.execute(f"PRAGMA synchronous = {'normal' if sync == 'full' else 'off'}")
