"""What can still be read of a damaged log file, and the names of what cannot.

A damaged page is passed over row by row: the rows beside it are read as they are. What is lost is
named by its positions and, as far as the file's other trees still tell it, by its sources' numbers:
`entries_partition` and the one under UNIQUE (source, seq) stand on pages of their own.
Nothing is repaired and nothing is thrown away: the file stays as it is, for a person to look at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from meltwatch.ledger.errors import Damaged
from meltwatch.ledger.logfile import Header, LogFile
from meltwatch.ledger.port import Lost, Stored
from meltwatch.ledger.shelf import Shelf

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_ROW = "SELECT pos, source, seq, kind, received_at, digest, data, partition FROM entries"
Spans = list[tuple[int, int]]
"""Positions from and to, both included, ascending."""


def is_damage(error: BaseException) -> bool:
    """Tell whether an error says that the bytes of a file are not what was written.

    A file of another version or kind is none: it is somebody's, and is left alone.
    """
    if isinstance(error, Damaged):
        return True
    code = getattr(error, "sqlite_errorcode", -1)
    return isinstance(error, sqlite3.DatabaseError) and code & 0xFF in _DAMAGE


def left_of(
    shelf: Shelf, first: int, through: int, partition: str, after: int, limit: int
) -> tuple[list[Stored], Spans]:
    """Return up to `limit` entries of a partition that can be read, and what was passed over.

    `first` names the file, `through` is the last position that it may hold.
    """
    after = max(after, first - 1)
    try:
        file = shelf.reader(first)
    except (sqlite3.DatabaseError, Damaged) as error:
        if not is_damage(error):
            raise
        return [], [(after + 1, through)] if after < through else []
    found: list[Stored] = []
    lost: list[int] = []
    for pos in _positions(file, partition, after, through):
        if len(found) == limit:
            break
        row = _row(file, pos)
        if row is None:
            lost.append(pos)
        elif row[1] == partition:
            found.append(row[0])
    return found, spans_of(lost)


def headers_left(shelf: Shelf, first: int, after: int) -> Iterator[Header]:
    """Yield the headers behind a position that can be read, by position."""
    try:
        file = shelf.reader(first)
        yield from sorted(_headers(file, after))
    except (sqlite3.DatabaseError, Damaged) as error:
        if not is_damage(error):
            raise
        return


def last_left(shelf: Shelf, first: int) -> int | None:
    """Return the last position in a file as far as it can be told; None: it cannot, 0: empty."""
    for ask in (
        "SELECT max(pos) FROM entries",
        "SELECT max(pos) FROM entries INDEXED BY sqlite_autoindex_entries_1 WHERE source >= ''",
        "SELECT max(pos) FROM entries INDEXED BY entries_partition WHERE partition >= ''",
    ):
        try:
            row = shelf.reader(first).connection.execute(ask).fetchone()
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
            continue
        return int(row[0] or 0)
    return None


def digests_left(
    shelf: Shelf, file: int, source: str, first: int, last: int
) -> list[tuple[int, bytes]]:
    """Return the digests of a source's numbers in a range of one file that can be read."""
    try:
        return shelf.reader(file).digests(source, first, last)
    except (sqlite3.DatabaseError, Damaged) as error:
        if not is_damage(error):
            raise
    if first == last:
        return []
    middle = (first + last) // 2
    return [
        *digests_left(shelf, file, source, first, middle),
        *digests_left(shelf, file, source, middle + 1, last),
    ]


def named(shelf: Shelf, first: int, spans: Spans, brought: Iterable[str]) -> list[Lost]:
    """Return what is lost of a file with its sources; `brought`: whoever has entries in it."""
    name = shelf.path(first).name
    sources = tuple(sorted(brought))
    try:
        numbers = {
            pos: (source, seq)
            for pos, _, source, seq in _numbers(shelf.reader(first), spans[0][0], spans[-1][1])
        }
    except (sqlite3.DatabaseError, Damaged) as error:
        if not is_damage(error):
            raise
        return [Lost(name, start, end, sources) for start, end in spans]
    return [Lost(name, start, end, _said(numbers, start, end) or sources) for start, end in spans]


def spans_of(positions: Iterable[int], former: Spans | None = None) -> Spans:
    """Return positions as spans, joined with former ones."""
    told = sorted([*(former or []), *((one, one) for one in positions)])
    return joined(told)


def joined(spans: Iterable[tuple[int, int]]) -> Spans:
    """Return spans in order, touching ones as one."""
    told: Spans = []
    for start, end in sorted(spans):
        if told and start <= told[-1][1] + 1:
            told[-1] = (told[-1][0], max(told[-1][1], end))
        else:
            told.append((start, end))
    return told


def _positions(file: LogFile, partition: str, after: int, through: int) -> Iterable[int]:
    """Return where a partition's entries stand; if not even that can be read, every position."""
    sql = (
        "SELECT pos FROM entries INDEXED BY entries_partition "
        "WHERE partition = ? AND pos > ? ORDER BY pos"
    )
    try:
        return [pos for (pos,) in file.connection.execute(sql, (partition, after))]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return range(after + 1, through + 1)


def _row(file: LogFile, pos: int) -> tuple[Stored, str] | None:
    """Return the entry at a position and its partition, None when it cannot be read."""
    try:
        row = file.connection.execute(f"{_ROW} WHERE pos = ?", (pos,)).fetchone()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return None
    if row is None:
        return None
    pos, source, seq, kind, received_at, digest, data, partition = row
    stored = Stored(
        pos=pos,
        source=source,
        seq=seq,
        kind=kind,
        received_at=received_at,
        digest=digest,
        data=data,
    )
    return stored, partition


def _headers(file: LogFile, after: int) -> Iterator[Header]:
    """Yield headers from the table, or, where that cannot be read, from the trees beside it."""
    try:
        yield from list(file.headers(after))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        partitions = dict(_partitions(file, after))
        for pos, _, source, seq in _numbers(file, after + 1, 1 << 62):
            yield Header(pos, partitions.get(pos, ""), source, seq)


def _partitions(file: LogFile, after: int) -> Iterator[tuple[int, str]]:
    sql = (
        "SELECT pos, partition FROM entries INDEXED BY entries_partition "
        "WHERE partition >= '' AND pos > ?"
    )
    try:
        yield from file.connection.execute(sql, (after,)).fetchall()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise


def _numbers(file: LogFile, start: int, end: int) -> Iterator[Header]:
    """Yield the numbers at positions from `start` to `end`, from the tree of numbers alone."""
    sql = (
        "SELECT pos, source, seq FROM entries INDEXED BY sqlite_autoindex_entries_1 "
        "WHERE source >= '' AND pos BETWEEN ? AND ?"
    )
    for pos, source, seq in file.connection.execute(sql, (start, end)):
        yield Header(pos, "", source, seq)


def _said(numbers: dict[int, tuple[str, int]], start: int, end: int) -> tuple[str, ...]:
    """Return each source with its numbers in a span, as people read them."""
    held: dict[str, list[int]] = {}
    for pos, (source, seq) in numbers.items():
        if start <= pos <= end:
            held.setdefault(source, []).append(seq)
    return tuple(
        f"{source} {', '.join(_span(a, b) for a, b in spans_of(seqs))}"
        for source, seqs in sorted(held.items())
    )


def _span(start: int, end: int) -> str:
    return str(start) if start == end else f"{start}-{end}"
