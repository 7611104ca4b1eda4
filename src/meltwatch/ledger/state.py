"""Who owns a partition, how far it is judged, what came of it, who did it: `state.sqlite`.

A commit is small and a checkpoint is large; both ask under the write lock whether the token is
still in force, so that a former owner that wakes up can change nothing.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from meltwatch.audit.chain import Deed, Head, Row
from meltwatch.ledger import deeds as audited
from meltwatch.ledger.database import (
    Format,
    Opening,
    fold,
    guarded,
    open_writer,
    scalar,
    transaction,
)
from meltwatch.ledger.errors import Damaged, Fenced, OutOfOrder
from meltwatch.ledger.port import Effect, Owned
from meltwatch.model.encoding import encode

FORMAT = Format(
    application_id=0x4D575354,  # MWST
    version=2,
    schema=f"""\
CREATE TABLE partitions (
    partition     TEXT PRIMARY KEY,
    fence         INTEGER NOT NULL,
    committed     INTEGER NOT NULL,
    commit_digest BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE effects (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    partition TEXT    NOT NULL,
    pos       INTEGER NOT NULL,
    data      BLOB    NOT NULL
) STRICT;
CREATE INDEX effects_partition ON effects (partition, id);
CREATE TABLE checkpoints (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    partition TEXT    NOT NULL,
    pos       INTEGER NOT NULL,
    digest    BLOB    NOT NULL,
    state     BLOB    NOT NULL
) STRICT;
CREATE INDEX checkpoints_partition ON checkpoints (partition, id);
{audited.TABLE};
{audited.INDEX};
""",
    former={1: (audited.TABLE, audited.INDEX)},
)

_KEPT_CHECKPOINTS = 2


class Standing(NamedTuple):
    """A partition's row."""

    fence: int
    committed: int
    commit_digest: bytes


class StateFile:
    """`state.sqlite` open for writing; safe to share between threads, one works at a time."""

    def __init__(self, path: Path, opening: Opening) -> None:
        """Open or create the file."""
        self._path = path
        self._lock = threading.Lock()
        with guarded(path):
            self._connection = open_writer(path, FORMAT, opening)

    def partition(self, name: str) -> EmbeddedPartition:
        """Return a new handle, not yet the owner."""
        return EmbeddedPartition(name, self)

    def furthest(self) -> int:
        """Return the greatest committed position, below which none may be given again."""
        with self.working() as connection:
            return scalar(connection, "SELECT max(committed) FROM partitions")

    def audit_head(self) -> Head:
        """Return the end of the audit chain."""
        with self.working() as connection:
            return audited.audit_head(connection)

    def audit(self, after: int, limit: int) -> list[Row]:
        """Return up to `limit` audit rows with a number above `after`, by number."""
        with self.working() as connection:
            return audited.audit_rows(connection, after, limit)

    def fold(self) -> None:
        """Fold the write-ahead log in."""
        with self.working() as connection:
            fold(connection)

    def close(self) -> None:
        """Close the file."""
        with self._lock, guarded(self._path):
            self._connection.close()

    @contextmanager
    def working(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection, and give the errors of the disk a meaning."""
        with self._lock, guarded(self._path):
            yield self._connection


class EmbeddedPartition:
    """A `Partition` in `state.sqlite`."""

    def __init__(self, name: str, file: StateFile) -> None:
        """Make a handle that owns nothing yet."""
        self._name = name
        self._file = file
        self._fence = 0

    def acquire(self) -> Owned:
        """Become the owner and fence the former one."""
        with self._file.working() as connection, transaction(connection):
            connection.execute(
                "INSERT INTO partitions VALUES (?, 1, 0, x'') "
                "ON CONFLICT DO UPDATE SET fence = fence + 1",
                (self._name,),
            )
            standing = self._standing(connection)
            owned = self._recovered(connection, standing)
        self._fence = standing.fence
        return owned

    def renew(self) -> None:
        """Raise `Fenced` unless still the owner: the embedded home has no leases to prolong."""
        with self._file.working() as connection:
            self._own(connection)

    def commit(self, pos: int, effects: Sequence[bytes], deeds: Sequence[Deed] = ()) -> bool:
        """Move the position, keep effects and deeds; False when this very commit had been made."""
        digest = commit_digest(effects, deeds)
        with self._file.working() as connection, transaction(connection):
            standing = self._own(connection)
            if pos == standing.committed and digest == standing.commit_digest:
                return False
            if pos <= standing.committed:
                raise OutOfOrder(self._name, standing.committed, pos)
            connection.execute(
                "UPDATE partitions SET committed = ?, commit_digest = ? WHERE partition = ?",
                (pos, digest, self._name),
            )
            connection.executemany(
                "INSERT INTO effects (partition, pos, data) VALUES (?, ?, ?)",
                ((self._name, pos, data) for data in effects),
            )
            audited.add_deeds(connection, self._name, pos, deeds)
        return True

    def deeds_at(self, pos: int) -> list[Row]:
        """Return the audit rows of the commit at `pos`, by number."""
        with self._file.working() as connection:
            return audited.rows_at(connection, self._name, pos)

    def checkpoint(self, pos: int, state: bytes) -> None:
        """Keep the state as of `pos` and drop all but the last two."""
        digest = state_digest(pos, state)
        with self._file.working() as connection, transaction(connection):
            standing = self._own(connection)
            if pos > standing.committed:
                raise OutOfOrder(self._name, standing.committed, pos)
            connection.execute(
                "INSERT INTO checkpoints (partition, pos, digest, state) VALUES (?, ?, ?, ?)",
                (self._name, pos, digest, state),
            )
            kept = [id_ for id_, _ in self._checkpoints(connection)[:_KEPT_CHECKPOINTS]]
            connection.execute(
                "DELETE FROM checkpoints WHERE partition = ? AND id < ?", (self._name, kept[-1])
            )

    def needed_after(self) -> int:
        """Return the former checkpoint's position, 0 until there are two."""
        with self._file.working() as connection:
            kept = self._checkpoints(connection)
        return min(pos for _, pos in kept) if len(kept) == _KEPT_CHECKPOINTS else 0

    def effects(self, after: int, limit: int) -> list[Effect]:
        """Return up to `limit` committed effects with an id above `after`."""
        with self._file.working() as connection:
            return read_effects(connection, self._name, after, limit)

    def release_effects(self, through: int) -> None:
        """Remove the effects with an id up to `through`."""
        with self._file.working() as connection, transaction(connection):
            connection.execute(
                "DELETE FROM effects WHERE partition = ? AND id <= ?", (self._name, through)
            )

    def _own(self, connection: sqlite3.Connection) -> Standing:
        standing = self._standing(connection)
        if not self._fence or standing.fence != self._fence:
            raise Fenced(self._name, self._fence, standing.fence)
        return standing

    def _standing(self, connection: sqlite3.Connection) -> Standing:
        row = connection.execute(
            "SELECT fence, committed, commit_digest FROM partitions WHERE partition = ?",
            (self._name,),
        ).fetchone()
        return Standing(*row) if row else Standing(0, 0, b"")

    def _checkpoints(self, connection: sqlite3.Connection) -> list[tuple[int, int]]:
        """Return (id, pos) of the kept checkpoints, the last written first."""
        return connection.execute(
            "SELECT id, pos FROM checkpoints WHERE partition = ? ORDER BY id DESC", (self._name,)
        ).fetchall()

    def _recovered(self, connection: sqlite3.Connection, standing: Standing) -> Owned:
        damaged: list[int] = []
        for id_, pos in self._checkpoints(connection):
            state = sound_state(connection, id_)
            if state is not None:
                return Owned(
                    fence=standing.fence,
                    committed=standing.committed,
                    checkpoint=pos,
                    state=state,
                    damaged=tuple(damaged),
                )
            damaged.append(pos)
        return Owned(
            fence=standing.fence,
            committed=standing.committed,
            checkpoint=0,
            state=None,
            damaged=tuple(damaged),
        )


def read_effects(
    connection: sqlite3.Connection, partition: str, after: int, limit: int
) -> list[Effect]:
    """Return up to `limit` effects of a partition with an id above `after`, by id."""
    rows = connection.execute(
        "SELECT id, pos, data FROM effects WHERE partition = ? AND id > ? ORDER BY id LIMIT ?",
        (partition, after, limit),
    )
    return [Effect(*row) for row in rows]


def sound_state(connection: sqlite3.Connection, checkpoint: int) -> bytes | None:
    """Return a checkpoint's state, None when its bytes are not those that were written."""
    try:
        with guarded(Path("state.sqlite")):
            row = connection.execute(
                "SELECT pos, digest, state FROM checkpoints WHERE id = ?", (checkpoint,)
            ).fetchone()
    except Damaged:
        return None
    pos, digest, state = row
    return bytes(state) if state_digest(pos, state) == digest else None


def state_digest(pos: int, state: bytes) -> bytes:
    """Return the SHA-256 over a checkpoint's position (8 bytes, big endian) and state."""
    digest = hashlib.sha256(pos.to_bytes(8, "big"))
    digest.update(state)
    return digest.digest()


def commit_digest(effects: Sequence[bytes], deeds: Sequence[Deed]) -> bytes:
    """Return the SHA-256 over effects, each behind its length (8 bytes, big endian).

    Deeds, if there are any, follow in the same way behind a length that no effect has.
    """
    digest = hashlib.sha256()
    for data in effects:
        digest.update(len(data).to_bytes(8, "big") + data)
    if deeds:
        digest.update(b"\xff" * 8)
    for data in map(encode, deeds):
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
