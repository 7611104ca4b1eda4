"""Opening the register's file: SQLite that waits for the disk, brought up to this version.

Everything else is SQLAlchemy's common ground, so that PostgreSQL can take its place.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from meltwatch.register.errors import RegisterUnavailable

BUSY_MS = 5_000
ONLY_MINE = 0o600
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
)


def open_engine(path: Path) -> Engine:
    """Open or make the file and bring its tables up to this version.

    Raises RegisterUnavailable.
    """
    with guarded():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, ONLY_MINE))
        except OSError as error:
            raise RegisterUnavailable(str(error)) from error
        engine = _engine(URL.create("sqlite", database=str(path)))
        try:
            with engine.begin() as connection:
                migrate(connection)
        except BaseException:
            engine.dispose()
            raise
    return engine


def open_reader(path: Path) -> Engine:
    """Open an existing file to read, beside whoever writes."""
    told = {"mode": "ro", "uri": "true"}
    engine = create_engine(URL.create("sqlite", database=path.resolve().as_uri(), query=told))
    event.listen(engine, "connect", _wait_when_busy)
    return engine


def migrate(connection: Connection) -> None:
    """Bring the tables up to this version, all or none.

    Raises RegisterUnavailable for a register of a newer version.
    """
    with as_file(files("meltwatch.register") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise RegisterUnavailable(f"made by a newer Meltwatch: {error}") from error


@contextmanager
def guarded() -> Iterator[None]:
    """Turn what a database says while it cannot work into RegisterUnavailable.

    A broken constraint or a wrong statement is a defect of ours, and stays what it is.
    """
    try:
        yield
    except OperationalError as error:
        raise RegisterUnavailable(str(error.orig)) from error
    except DBAPIError as error:
        # The type itself is a damaged file, its subclasses are defects.
        if error.connection_invalidated or type(error.orig) is sqlite3.DatabaseError:
            raise RegisterUnavailable(str(error.orig)) from error
        raise


def _engine(address: URL) -> Engine:
    engine = create_engine(address)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # `_begin` says when a transaction begins, not the driver
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _wait_when_busy(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")


def _begin(connection: Connection) -> None:
    """Take the write lock at once: one that reads first and writes then may find it gone."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
