"""The audit rows of a home, in `state.sqlite`: one chain over all its partitions.

They are written inside the transaction of the commit that they tell about, so that none is without
its change and no change without it. What a row is and how the next follows: `audit/chain.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from meltwatch.audit.chain import Deed, Head, Row, following, head_after, row_of
from meltwatch.ledger.database import scalar
from meltwatch.ledger.port import CHAIN
from meltwatch.model.encoding import encode

TABLE = """\
CREATE TABLE audit (
    number    INTEGER PRIMARY KEY,
    partition TEXT    NOT NULL,
    pos       INTEGER NOT NULL,
    data      BLOB    NOT NULL
) STRICT"""
INDEX = "CREATE INDEX audit_partition ON audit (partition, pos)"


def add_deeds(
    connection: sqlite3.Connection, partition: str, pos: int, deeds: Sequence[Deed]
) -> None:
    """Add a row for each deed of a commit; to be called inside its transaction."""
    if not deeds:
        return
    head = audit_head(connection)
    for deed in deeds:
        row = following(head, deed)
        connection.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?)", (row.number, partition, pos, encode(row))
        )
        head = head_after(row)


def are_kept(connection: sqlite3.Connection) -> bool:
    """Tell whether the file has the table: a former version's, seen by a reader, has not."""
    return scalar(connection, "SELECT 1 FROM sqlite_master WHERE name = 'audit'") == 1


def audit_head(connection: sqlite3.Connection) -> Head:
    """Return the end of the chain."""
    last = connection.execute("SELECT number, data FROM audit ORDER BY number DESC LIMIT 1")
    rows = _rows(last)
    return head_after(rows[0]) if rows else Head(CHAIN)


def audit_rows(connection: sqlite3.Connection, after: int, limit: int) -> list[Row]:
    """Return up to `limit` rows with a number above `after`, by number."""
    return _rows(
        connection.execute(
            "SELECT number, data FROM audit WHERE number > ? ORDER BY number LIMIT ?",
            (after, max(limit, 0)),
        )
    )


def rows_at(connection: sqlite3.Connection, partition: str, pos: int) -> list[Row]:
    """Return the rows of the commit at a position of a partition."""
    return _rows(
        connection.execute(
            "SELECT number, data FROM audit WHERE partition = ? AND pos = ? ORDER BY number",
            (partition, pos),
        )
    )


def _rows(cursor: sqlite3.Cursor) -> list[Row]:
    return [row_of(data, CHAIN, number) for number, data in cursor]
