"""Bring the index in line with the log at opening: the log is the truth.

A kill between the log's commit and the index's leaves the index behind: the missing entries are
applied again. Without `sync="full"`, or when a file was restored from an older copy, the log can
be the shorter one: then what it lost is taken back from the index, so that sources send it again,
and said so. Positions are never given twice all the same.
"""

from __future__ import annotations

import sqlite3

from meltwatch.errors import Problem
from meltwatch.ledger.database import transaction
from meltwatch.ledger.errors import Damaged
from meltwatch.ledger.index import Index
from meltwatch.ledger.salvage import headers_left, is_damage, last_left
from meltwatch.ledger.shelf import Shelf, covering


def heal(index: Index, shelf: Shelf) -> tuple[int, list[Problem]]:
    """Repair the index; return the log's last position and what had to be done."""
    found = _finish_retention(index, shelf)
    firsts = shelf.firsts()
    end = _end(shelf, firsts)
    applied = index.meta("applied")
    if end is None:
        # The newest file does not tell how far it went. What it held is lost to reading, not to
        # the index: nobody is asked to send again what has been acknowledged.
        return applied, found
    if end > applied:
        found += _catch_up(index, shelf, firsts, applied)
    elif end < applied:
        try:
            found += _take_back(index, shelf, firsts, end)
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
    return end, found


def _end(shelf: Shelf, firsts: list[int]) -> int | None:
    """Return the log's last position, None when the newest file that has any is damaged."""
    for first in reversed(firsts):
        last = last_left(shelf, first)
        if last != 0:
            return last
    return 0


def _finish_retention(index: Index, shelf: Shelf) -> list[Problem]:
    """Delete files that a killed retention had already forgotten."""
    left = [first for first in shelf.firsts() if first < index.meta("first_file")]
    if left:
        shelf.remove(left)
    return [Problem(shelf.path(first).name, "ledger.leftover_removed") for first in left]


def _catch_up(index: Index, shelf: Shelf, firsts: list[int], applied: int) -> list[Problem]:
    found = []
    if firsts[0] > applied + 1:
        # The index is new or an old copy, and files are gone that it never saw.
        index.note("floor", firsts[0] - 1)
        found.append(Problem("index.sqlite", "ledger.index_rebuilt", {"first": firsts[0]}))
    for first in covering(firsts, applied):
        index.apply(first, headers_left(shelf, first, applied))
    end = index.meta("applied")
    behind = Problem("index.sqlite", "ledger.index_behind", {"applied": applied, "end": end})
    return [*found, behind]


def _take_back(index: Index, shelf: Shelf, firsts: list[int], end: int) -> list[Problem]:
    """Make the index forget positions that the log has lost; `applied` stays, so none is reused."""
    ask = index.connection
    lost = ask.execute("SELECT source FROM sources WHERE last_pos > ?", (end,)).fetchall()
    cut = ask.execute("SELECT partition FROM partitions WHERE last_pos > ?", (end,)).fetchall()
    if not lost and not cut:
        return []
    with transaction(ask):
        ask.execute("DELETE FROM spans WHERE file > ?", (end,))
        for (source,) in lost:
            seq, pos = _last_of_source(shelf, firsts, source) or (0, 0)
            if seq or index.meta("first_file") <= 1:
                ask.execute(
                    "UPDATE sources SET last_seq = ?, last_pos = ? WHERE source = ?",
                    (seq, pos, source),
                )
        ask.execute("DELETE FROM sources WHERE last_seq = 0")
        for (partition,) in cut:
            ask.execute(
                "UPDATE partitions SET last_pos = max(?, removed) WHERE partition = ?",
                (_end_of_partition(shelf, firsts, partition), partition),
            )
    applied = index.meta("applied")
    return [Problem("index.sqlite", "ledger.log_lost_tail", {"end": end, "applied": applied})]


def _last_of_source(shelf: Shelf, firsts: list[int], source: str) -> tuple[int, int] | None:
    found = (shelf.reader(first).last_of_source(source) for first in reversed(firsts))
    return next(filter(None, found), None)


def _end_of_partition(shelf: Shelf, firsts: list[int], partition: str) -> int:
    ends = (shelf.reader(first).ends().get(partition) for first in reversed(firsts))
    return next(filter(None, ends), 0)
