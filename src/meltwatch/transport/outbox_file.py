"""The outbox's file: how it is opened, what it is made of, and what it says no with.

SQLite in WAL mode, `synchronous = FULL`, held by one process. `docs/formats/outbox.md` is the
format; `outbox.py` says what the rows mean. Nothing here knows of frames.

    MeltwatchError
    └── OutboxError
        ├── OutboxUnavailable    full, locked or failing; nothing has changed: try again later
        ├── OutboxInUse          another process has it: stop that one first
        ├── OutboxUnknownFormat  of another version or kind: tell the operator, touch nothing
        ├── OutboxDamaged        not sound: tell the operator, set it aside, begin a new one
        └── OutboxOfAnother      another gateway's: a number would be given twice
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from meltwatch.errors import MeltwatchError
from meltwatch.model.ids import SourceId

APPLICATION_ID = 0x4D574F42
VERSION = 2
BUSY_MS = 2_000
_WAL_LEFT_BYTES = 8 * 1024 * 1024

_EPOCHS = """\
CREATE TABLE epochs (
    epoch       TEXT PRIMARY KEY,
    forgotten   INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    tried       INTEGER NOT NULL,
    complete_to INTEGER,
    filed       TEXT    NOT NULL UNIQUE,
    offset_ms   INTEGER,
    boot        TEXT,
    aside       INTEGER NOT NULL DEFAULT 0,
    moved_ms    INTEGER NOT NULL DEFAULT 0,
    bits        INTEGER NOT NULL DEFAULT 0,
    moved       INTEGER NOT NULL DEFAULT 0,
    made        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
"""
_LAYOUTS = """\
CREATE TABLE layouts (
    id     TEXT PRIMARY KEY,
    points TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
_SCHEMA = f"""\
CREATE TABLE outbox (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    gateway   TEXT    NOT NULL,
    newest    TEXT,
    bytes     INTEGER NOT NULL,
    clock_ms  INTEGER NOT NULL,
    told_ms   INTEGER,
    proven_ms INTEGER
) STRICT;
{_EPOCHS}CREATE TABLE frames (
    id            INTEGER PRIMARY KEY,
    epoch         TEXT    NOT NULL,
    seq           INTEGER NOT NULL,
    mark          TEXT    NOT NULL,
    complete_from INTEGER NOT NULL,
    complete_to   INTEGER NOT NULL,
    lost          TEXT    NOT NULL,
    stored_ms     INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    key           TEXT    NOT NULL,
    signature     TEXT    NOT NULL,
    body          BLOB    NOT NULL,
    UNIQUE (epoch, seq)
) STRICT;
{_LAYOUTS}CREATE TABLE dropped (
    epoch         TEXT    NOT NULL,
    first         INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    mark          TEXT    NOT NULL,
    complete_from INTEGER NOT NULL,
    complete_to   INTEGER NOT NULL,
    lost          TEXT    NOT NULL,
    PRIMARY KEY (epoch, first)
) STRICT, WITHOUT ROWID;
"""

# What makes an outbox of version 1 one of version 2: its epochs are all proven.
_FROM_1 = (
    "ALTER TABLE outbox ADD COLUMN proven_ms INTEGER",
    "ALTER TABLE epochs RENAME TO epochs_1",
    _EPOCHS,
    _LAYOUTS,
    """INSERT INTO epochs (epoch, forgotten, last, tried, complete_to, filed)
       SELECT epoch, forgotten, last, tried, complete_to, epoch FROM epochs_1""",
    "DROP TABLE epochs_1",
    "PRAGMA user_version = 2",
)

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BROKEN = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_NOTADB,
}


class OutboxError(MeltwatchError):
    """The root of what an outbox raises about the disk it lives on."""

    def __init__(self, place: str, reason: str = "") -> None:
        """Keep the file and the reason in the store's own words."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}" if reason else place)


class OutboxUnavailable(OutboxError):
    """The disk is full, locked or failing, and nothing has changed: try again later."""


class OutboxInUse(OutboxError):
    """Another process has this outbox: stop it first."""


class OutboxDamaged(OutboxError):
    """The file is not sound: tell the operator, set it aside and begin a new one."""


class OutboxUnknownFormat(OutboxError):
    """The file is of another version or kind: tell the operator, touch nothing."""

    def __init__(self, place: str, found: int, known: int = VERSION) -> None:
        """Keep the version found (0: no outbox at all) and the one known."""
        self.found = found
        self.known = known
        super().__init__(place, f"format {found}, this program reads {known}")


class OutboxOfAnother(OutboxError):
    """The file is another gateway's: its numbers are not ours to give."""

    def __init__(self, place: str, gateway: str) -> None:
        """Keep whose it is."""
        self.gateway = gateway
        super().__init__(place, f"belongs to {gateway}")


def open_file(path: Path, gateway: SourceId) -> sqlite3.Connection:
    """Open or create a gateway's outbox and keep others out until it is closed.

    Raises OutboxInUse, OutboxUnknownFormat, OutboxOfAnother, OutboxDamaged, OutboxUnavailable.
    """
    try:
        with guarded(path):
            if not path.exists():
                _create(path, gateway)
            connection = _connect(path, "rw")
            try:
                _take(connection, path, gateway)
            except BaseException:
                connection.close()
                raise
            return connection
    except OutboxUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.DatabaseError) and _code(cause) in _BUSY:
            raise OutboxInUse(str(path)) from error
        raise


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one write transaction: all of it, or after any error none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back after some errors (a full disk among them).
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def guarded(place: Path) -> Iterator[None]:
    """Give the errors of the disk a meaning: OutboxUnavailable passes, OutboxDamaged does not."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) in _BROKEN:
            raise OutboxDamaged(str(place), str(error)) from error
        raise OutboxUnavailable(str(place), str(error)) from error
    except OSError as error:
        raise OutboxUnavailable(str(place), str(error)) from error


def _code(error: sqlite3.DatabaseError) -> int:
    return int(getattr(error, "sqlite_errorcode", -1)) & 0xFF


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Return a bare connection that may be handed from thread to thread under its owner's lock."""
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


def _create(path: Path, gateway: SourceId) -> None:
    """Make a whole file under another name first: nobody ever sees one that is half made."""
    making = path.with_name(f"{path.name}.new")
    for leftover in (making, making.with_name(f"{making.name}-journal")):
        leftover.unlink(missing_ok=True)
    connection = _connect(making, "rwc")
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        connection.execute(
            "INSERT INTO outbox (one, gateway, bytes, clock_ms) VALUES (1, ?, 0, 0)", (gateway,)
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        connection.close()
    making.rename(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _take(connection: sqlite3.Connection, path: Path, gateway: SourceId) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    kin = _number(connection, "PRAGMA application_id") == APPLICATION_ID
    version = _number(connection, "PRAGMA user_version")
    if not kin or not 1 <= version <= VERSION:
        raise OutboxUnknownFormat(str(path), version if kin else 0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LEFT_BYTES}")
    # Some builds write zeros over what is deleted: dear, and nobody's promise.
    connection.execute("PRAGMA secure_delete = OFF")
    with transaction(connection):  # takes the lock that is kept until the end
        (owner,) = connection.execute("SELECT gateway FROM outbox").fetchone()
    if owner != gateway:
        raise OutboxOfAnother(str(path), owner)
    if version == 1:
        with transaction(connection):
            for statement in _FROM_1:
                connection.execute(statement)


def _number(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])
