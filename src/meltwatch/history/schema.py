"""The tables of a catalogue, by version, and the way from an older one to this.

    1  segments, sealed, points
    2  an hour and a class for each segment; what is derived; what is retired; coverage

A sealer brings an older file up when it opens it, in one transaction; a reader reads both.
"""

from __future__ import annotations

import sqlite3

VERSION = 2
APPLICATION_ID = 0x4D574849  # "MWHI"

_SEGMENTS = """
CREATE TABLE segments (
    path        TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('segment', 'delta', 'hour')),
    hour        INTEGER,
    class       TEXT    NOT NULL DEFAULT '',
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
CREATE INDEX segments_by_at ON segments (at_from, at_to);
CREATE INDEX segments_by_hour ON segments (hour, kind);
"""
_DERIVED = """
CREATE TABLE derived (
    path        TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('minutes', 'held')),
    hour        INTEGER NOT NULL,
    class       TEXT    NOT NULL,
    rows        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    file_digest TEXT    NOT NULL,
    made_at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX derived_by_hour ON derived (kind, hour, class);
CREATE TABLE retired (
    path  TEXT    PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE coverage (
    source TEXT    NOT NULL,
    state  TEXT    NOT NULL CHECK (state IN ('complete', 'lost')),
    begins INTEGER NOT NULL,
    ends   INTEGER NOT NULL CHECK (ends > begins),
    PRIMARY KEY (source, state, begins)
) STRICT, WITHOUT ROWID;
CREATE TABLE horizons (
    kind   TEXT    NOT NULL CHECK (kind IN ('raw', 'minutes')),
    class  TEXT    NOT NULL,
    before INTEGER NOT NULL,
    PRIMARY KEY (kind, class)
) STRICT, WITHOUT ROWID;
CREATE TABLE generation (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO generation VALUES (1, 0);
"""
_REST = """
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
_BEFORE = """
ALTER TABLE segments RENAME TO segments_1;
DROP INDEX segments_by_pos;
DROP INDEX segments_by_at;
"""
_COPY = """
INSERT INTO segments (path, kind, pos_from, pos_to, at_from, at_to, rows, digest, bytes,
    file_digest, sealed_at) SELECT path, kind, pos_from, pos_to, at_from, at_to, rows, digest,
    bytes, file_digest, sealed_at FROM segments_1;
DROP TABLE segments_1;
"""


def stamp(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return (application id, version) of a database; (0, 0) for an empty one."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return int(application), int(connection.execute("PRAGMA user_version").fetchone()[0])


def has_tables(connection: sqlite3.Connection) -> bool:
    """Return whether anything has been made in a database."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def make(connection: sqlite3.Connection, enterprise: str) -> None:
    """Make the tables, inside the caller's transaction."""
    _run(connection, _SEGMENTS + _DERIVED + _REST)
    connection.execute("INSERT INTO sealed VALUES (1, ?, 0)", (enterprise,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def bring_up(connection: sqlite3.Connection) -> None:
    """Bring the tables of version 1 up to this one, inside the caller's transaction."""
    _run(connection, _BEFORE + _SEGMENTS + _COPY + _DERIVED)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _run(connection: sqlite3.Connection, script: str) -> None:
    # Not executescript: that would end the transaction.
    for statement in filter(str.strip, script.split(";")):
        connection.execute(statement)
