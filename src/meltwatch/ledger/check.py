"""Is an embedded ledger sound? Read every file and count; change nothing.

It may run beside the writer: entries younger than the index's word at the start are read and
counted, and only their agreement with the index is left for the next time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from meltwatch.audit.chain import Head, Row, wrong_with
from meltwatch.errors import Problem
from meltwatch.ledger import deeds, index, logfile, state
from meltwatch.ledger.database import Format, Opening, guarded, open_reader
from meltwatch.ledger.errors import LedgerError
from meltwatch.ledger.port import CHAIN, Entry
from meltwatch.ledger.shelf import Shelf, covering
from meltwatch.model.reason import Params

_ROWS_AT_ONCE = 500
DigestOf = Callable[[Entry], bytes]
"""What an entry's digest should be; the ledger itself only compares digests."""


def check(directory: Path, digest_of: DigestOf | None = None) -> list[Problem]:
    """Return every finding, file by file; [] says that the ledger is sound."""
    walk = _Walk(digest_of)
    shelf = Shelf(directory, Opening())
    _look(walk, directory / "index.sqlite", index.FORMAT, walk.index)
    for first in shelf.firsts():
        _look(walk, shelf.path(first), logfile.FORMAT, walk.log)
    walk.compare()
    _look(walk, directory / "state.sqlite", state.FORMAT, walk.state)
    return walk.found


def check_behind(directory: Path, after: int) -> list[Problem]:
    """Return which positions are missing behind one; quick, for every opening.

    Only positions are read, of the files that may have any behind `after`. What cannot be read
    there is told by whoever reads it (`StreamReader.damage`).
    """
    found: list[Problem] = []
    shelf = Shelf(directory, Opening())
    expected = after + 1
    for first in covering(shelf.firsts(), after):
        place = shelf.path(first).name
        try:
            with (
                guarded(shelf.path(first)),
                closing(open_reader(shelf.path(first), logfile.FORMAT, Opening())) as connection,
            ):
                sql = "SELECT pos FROM entries WHERE pos > ? ORDER BY pos"
                for (pos,) in connection.execute(sql, (after,)):
                    if pos != expected:
                        missing: Params = {"first": expected, "last": pos - 1}
                        found.append(Problem(place, "ledger.positions_missing", missing))
                    expected = pos + 1
        except LedgerError as error:
            found.append(Problem(place, "ledger.file_unreadable", {"told": str(error)}))
    return found


def _look(walk: _Walk, path: Path, form: Format, ask: Callable[[sqlite3.Connection], None]) -> None:
    """Check one file; one that cannot be read is a finding and the walk goes on."""
    walk.place = path.name
    try:
        with guarded(path), closing(open_reader(path, form, Opening())) as connection:
            for (told,) in connection.execute("PRAGMA quick_check"):
                if told != "ok":
                    walk.tell(Problem(walk.place, "ledger.file_unsound", {"told": told}))
            # One snapshot: the writer may go on meanwhile.
            connection.execute("BEGIN")
            ask(connection)
    except LedgerError as error:
        if not path.exists() and form is logfile.FORMAT:
            walk.restart()
            return
        walk.tell(Problem(walk.place, "ledger.file_unreadable", {"told": str(error)}))


class _Walk:
    """What was seen so far, and what is wrong with it."""

    def __init__(self, digest_of: DigestOf | None) -> None:
        self.found: list[Problem] = []
        self.place = ""
        self._digest_of = digest_of
        self._noted: dict[str, int] = {}
        self._applied = 0
        self._removed = False
        self._pos: int | None = None
        self._seqs: dict[str, int] = {}
        self._seqs_applied: dict[str, int] = {}

    def tell(self, problem: Problem) -> None:
        """Add a finding."""
        self.found.append(problem)

    def index(self, connection: sqlite3.Connection) -> None:
        """Keep what the index says, to be compared with the log."""
        asked = index.Index(connection, "full")
        self._applied = asked.meta("applied")
        self._removed = asked.meta("first_file") > 1 or asked.meta("floor") > 0
        self._noted = asked.sources()
        for conflict in asked.conflicts(0, -1) if self._digest_of else ():
            if not self._fits(conflict):
                told: Params = {
                    "source": conflict.source,
                    "seq": conflict.seq,
                    "number": conflict.id,
                }
                self.tell(Problem(self.place, "ledger.conflict_digest_differs", told))

    def log(self, connection: sqlite3.Connection) -> None:
        """Walk the entries of one file."""
        for pos, entry in _entries(connection):
            expected = pos if self._pos is None and self._removed else (self._pos or 0) + 1
            if pos != expected:
                self.tell(
                    Problem(
                        self.place, "ledger.positions_missing", {"first": expected, "last": pos - 1}
                    )
                )
            self._pos = pos
            self._dense(pos, entry)
            if not self._fits(entry):
                told: Params = {"source": entry.source, "seq": entry.seq, "number": pos}
                self.tell(Problem(self.place, "ledger.digest_differs", told))

    def restart(self) -> None:
        """Begin anew behind a file that retention has just removed, with all before it."""
        self._removed = True
        self._pos = None
        self._seqs.clear()

    def compare(self) -> None:
        """Compare the index with the log, as far as the index claims to know it."""
        self.place = "index.sqlite"
        for source in sorted(self._noted.keys() | self._seqs_applied.keys()):
            noted = self._noted.get(source, 0)
            logged = self._seqs_applied.get(source, noted if self._removed else 0)
            if noted != logged:
                self.tell(
                    Problem(
                        self.place,
                        "ledger.index_differs",
                        {"source": source, "index": noted, "log": logged},
                    )
                )

    def state(self, connection: sqlite3.Connection) -> None:
        """Check every checkpoint's bytes and the audit chain."""
        rows = connection.execute("SELECT id, partition, pos FROM checkpoints ORDER BY id")
        for id_, partition, pos in rows.fetchall():
            if state.sound_state(connection, id_) is None:
                self.tell(
                    Problem(
                        self.place,
                        "ledger.checkpoint_damaged",
                        {"partition": partition, "pos": pos},
                    )
                )
        if deeds.are_kept(connection):
            self.found += wrong_with(_audited(connection), Head(CHAIN))

    def _dense(self, pos: int, entry: Entry) -> None:
        before = self._seqs.get(entry.source)
        expected = entry.seq if before is None and self._removed else (before or 0) + 1
        if entry.seq != expected:
            self.tell(
                Problem(
                    self.place,
                    "ledger.seq_not_dense",
                    {"source": entry.source, "expected": expected, "pos": pos},
                )
            )
        self._seqs[entry.source] = entry.seq
        if pos <= self._applied:
            self._seqs_applied[entry.source] = entry.seq

    def _fits(self, entry: Entry) -> bool:
        return self._digest_of is None or self._digest_of(entry) == entry.digest


def _audited(connection: sqlite3.Connection) -> Iterator[Row]:
    after = 0
    while rows := deeds.audit_rows(connection, after, _ROWS_AT_ONCE):
        yield from rows
        after = rows[-1].number


def _entries(connection: sqlite3.Connection) -> Iterator[tuple[int, Entry]]:
    rows = connection.execute(
        "SELECT pos, source, seq, kind, received_at, digest, data FROM entries ORDER BY pos"
    )
    for pos, source, seq, kind, received_at, digest, data in rows:
        yield (
            pos,
            Entry(
                source=source,
                seq=seq,
                data=data,
                digest=digest,
                received_at=received_at,
                kind=kind,
            ),
        )
