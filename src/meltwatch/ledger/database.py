"""How this room opens SQLite: format stamp, pragmas, transactions, and errors with a meaning.

Nothing here knows what the tables hold. Every connection has a busy timeout; writers use WAL,
readers are separate connections that cannot write.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from meltwatch.ledger.errors import Damaged, Unavailable, UnknownFormat

Sync = Literal["full", "off"]
"""`full`: a commit is on the disk when it returns. `off`: the process may die, not the machine."""

PAGE_BYTES = 16_384
"""Frames are tens of kilobytes: big pages keep a frame's overflow chain short."""

_TRANSIENT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_NOTADB,
    }
)


class Format(msgspec.Struct, frozen=True):
    """What a kind of file is stamped with (`application_id`, `user_version`) and made of.

    `former`: for each older version that is read as it stands, the statements that lead a writer
    from it to the next.
    """

    application_id: int
    version: int
    schema: str
    former: Mapping[int, tuple[str, ...]] = {}


class Opening(msgspec.Struct, frozen=True):
    """How the files of one home are opened; `busy_ms` is how long a lock is waited for."""

    sync: Sync = "full"
    busy_ms: int = 5_000


def open_writer(path: Path, form: Format, opening: Opening) -> sqlite3.Connection:
    """Open or create a file for writing, brought to the present version if it is a former one's.

    Raises `UnknownFormat` before touching a foreign one.
    """
    if not path.exists():
        _create(path, form, opening)
    connection = connect(path, "rw", opening)
    try:
        _expect(connection, path, form)
        # A file that was restored from a copy or a dump may have lost it.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {opening.sync}")
        # Some builds write zeros over what is deleted: dear for checkpoints, and nobody's promise.
        connection.execute("PRAGMA secure_delete = OFF")
        _bring_up(connection, form)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, form: Format, opening: Opening) -> sqlite3.Connection:
    """Open an existing file for reading only, of the present version or a former one.

    Not `mode=ro`: such a connection leaves its side files behind and cannot recover a WAL that a
    crash has left.
    """
    connection = connect(path, "rw", opening)
    try:
        connection.execute("PRAGMA query_only = ON")
        # The last one to close folds the WAL in, and may be a reader.
        connection.execute(f"PRAGMA synchronous = {opening.sync}")
        _expect(connection, path, form)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path, mode: str, opening: Opening) -> sqlite3.Connection:
    """Return a bare connection that may be handed from thread to thread under its owner's lock."""
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=opening.busy_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


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
    """Give the errors of the disk a meaning: `Unavailable` passes, `Damaged` does not."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        if code in _TRANSIENT:
            raise Unavailable(str(place), str(error)) from error
        if code in _BROKEN:
            raise Damaged(str(place), str(error)) from error
        raise
    except OSError as error:
        raise Unavailable(str(place), str(error)) from error


def fold(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into its file as far as readers let it, waiting for nobody."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, as its files already are."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def files_of(path: Path) -> list[Path]:
    """Return a database and its side files, which are part of it while open or after a kill."""
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def require_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Close the connection and raise `Damaged` unless SQLite finds the file's trees sound."""
    (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        connection.close()
        raise Damaged(str(path), told)


def set_aside(path: Path) -> None:
    """Give a damaged file and what belongs to it a name that nothing of ours reads."""
    number = 1
    while path.with_name(f"{path.name}.damaged-{number}").exists():
        number += 1
    for one in reversed(files_of(path)):  # the file itself last: a kill between begins anew
        if one.exists():
            one.rename(one.with_name(f"{one.name}.damaged-{number}"))
    sync_directory(path.parent)


def scalar(connection: sqlite3.Connection, sql: str, *params: str | int) -> int:
    """Return the single integer of a query; 0 for no row or NULL."""
    row = connection.execute(sql, params).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _create(path: Path, form: Format, opening: Opening) -> None:
    """Make a whole file under another name first: nobody ever sees one that is half made."""
    making = path.with_name(path.name + ".new")
    for leftover in files_of(making):
        leftover.unlink(missing_ok=True)
    connection = connect(making, "rwc", opening)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA synchronous = {opening.sync}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(form.schema)
        connection.execute(f"PRAGMA application_id = {form.application_id}")
        connection.execute(f"PRAGMA user_version = {form.version}")
    finally:
        connection.close()
    making.rename(path)
    sync_directory(path.parent)


def _expect(connection: sqlite3.Connection, path: Path, form: Format) -> None:
    if scalar(connection, "PRAGMA page_count") == 0:
        raise Damaged(str(path), "the file is empty")
    version = scalar(connection, "PRAGMA user_version")
    kin = scalar(connection, "PRAGMA application_id") == form.application_id
    if not kin or version not in {form.version, *form.former}:
        raise UnknownFormat(str(path), version if kin else 0, form.version)


def _bring_up(connection: sqlite3.Connection, form: Format) -> None:
    if scalar(connection, "PRAGMA user_version") == form.version:
        return
    with transaction(connection):
        for version in range(scalar(connection, "PRAGMA user_version"), form.version):
            for statement in form.former[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {form.version}")
