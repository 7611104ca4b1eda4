"""Reading an embedded ledger, beside its writer or in another process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from meltwatch.audit.chain import Head, Row
from meltwatch.ledger import deeds, state
from meltwatch.ledger.database import Opening, Sync, guarded, open_reader
from meltwatch.ledger.errors import Damaged, Truncated
from meltwatch.ledger.index import FORMAT, Index
from meltwatch.ledger.port import CHAIN, KeptConflict, Lost, Stored
from meltwatch.ledger.salvage import Spans, digests_left, is_damage, joined, left_of, named
from meltwatch.ledger.shelf import Shelf, covering
from meltwatch.ledger.span import Span, span_of


class EmbeddedReader:
    """A `StreamReader` over a directory; safe to share between threads, one reads at a time."""

    def __init__(self, directory: Path, *, sync: Sync = "full", busy_ms: int = 5_000) -> None:
        """Open for reading; raises `Unavailable` when nothing is there, and `UnknownFormat`."""
        opening = Opening(sync, busy_ms)
        self._directory = directory
        self._reading = threading.RLock()
        self._shelf = Shelf(directory, opening)
        self._lost: dict[int, Spans] = {}
        self._named_of: dict[int, Spans] = {}
        self._named: list[Lost] = []
        with guarded(directory):
            self._asked = Index(open_reader(directory / "index.sqlite", FORMAT, opening), sync)

    def read(self, partition: str, after: int, limit: int) -> list[Stored]:
        """Return up to `limit` entries behind `after`, each once; raises `Truncated`."""
        with self._looking():
            while True:
                firsts = self._shelf.firsts()
                removed = self._asked.removed(partition)
                if after < removed:
                    raise Truncated(partition, after, removed + 1)
                try:
                    return self._collect(firsts, partition, after, limit)
                except sqlite3.OperationalError:
                    # Retention may have removed a file between the listing and its opening.
                    if self._shelf.firsts()[:1] == firsts[:1]:
                        raise

    def end(self, partition: str) -> int:
        """Return the position of the partition's last entry, 0 before any."""
        with self._looking():
            return self._asked.end(partition)

    def last_seq(self, source: str) -> int:
        """Return the source's last stored number, 0 before any."""
        with self._looking():
            return self._asked.last_seq(source)

    def sources(self) -> dict[str, int]:
        """Return every source ever stored with its last number."""
        with self._looking():
            return self._asked.sources()

    def span(self, source: str, first: int, last: int) -> Span:
        """Return what is held of a source's numbers from `first` to `last`."""
        with self._looking():
            end = self._asked.last_seq(source)
            held_from, files = self._asked.files_of(source)
            firsts = set(self._shelf.firsts())
            held = [
                one
                for file in files
                if file in firsts
                for one in digests_left(self._shelf, file, source, first, last)
            ]
            return span_of(source, (first, last), held, held_from or end + 1, end)

    def newest_epoch(self, gateway: str) -> str | None:
        """Return the greatest epoch of the gateway seen by frame or hello."""
        with self._looking():
            return self._asked.newest_epoch(gateway)

    def conflicts(self, after: int, limit: int) -> list[KeptConflict]:
        """Return up to `limit` kept conflicts with an id above `after`."""
        with self._looking():
            return self._asked.conflicts(after, limit)

    def damage(self) -> list[Lost]:
        """Return what this reader has met and could not read, by position."""
        with self._looking():
            if self._lost == self._named_of:
                return list(self._named)
            held = set(self._shelf.firsts())
            self._named_of = dict(self._lost)
            self._named = [
                one
                for first, spans in sorted(self._lost.items())
                if spans and first in held
                for one in named(self._shelf, first, spans, self._asked.sources_in(first))
            ]
            return list(self._named)

    def close(self) -> None:
        """Close every file."""
        with self._looking():
            self._shelf.close()
            self._asked.connection.close()

    @contextmanager
    def _looking(self) -> Iterator[None]:
        with self._reading, guarded(self._directory):
            yield

    def _collect(self, firsts: list[int], partition: str, after: int, limit: int) -> list[Stored]:
        end = self._asked.end(partition)
        found: list[Stored] = []
        for first in covering(firsts, after):
            if len(found) >= limit or end <= after or end < first:
                break
            found += self._read(firsts, first, partition, after, limit - len(found))
        return found

    def _read(
        self, firsts: list[int], first: int, partition: str, after: int, limit: int
    ) -> list[Stored]:
        """Read one file; of a damaged one what is left of it."""
        try:
            return self._shelf.reader(first).read(partition, after, limit)
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
        through = self._through(firsts, first)
        found, lost = left_of(self._shelf, first, through, partition, after, limit)
        self._lost[first] = joined([*self._lost.get(first, []), *lost])
        return found

    def _through(self, firsts: list[int], first: int) -> int:
        """Return the last position that a file may hold."""
        behind = firsts[firsts.index(first) + 1 :]
        return behind[0] - 1 if behind else self._asked.meta("applied")


def checkpoint_of(directory: Path, partition: str) -> bytes | None:
    """Return the state of a partition's newest sound checkpoint, None without one."""
    path = directory / "state.sqlite"
    with guarded(path), closing(open_reader(path, state.FORMAT, Opening())) as connection:
        ids = connection.execute(
            "SELECT id FROM checkpoints WHERE partition = ? ORDER BY id DESC", (partition,)
        ).fetchall()
        found = (state.sound_state(connection, id_) for (id_,) in ids)
        return next((one for one in found if one is not None), None)


class AuditReader:
    """An `AuditTrail` over a directory; safe to share between threads, one reads at a time."""

    def __init__(self, directory: Path, *, sync: Sync = "full", busy_ms: int = 5_000) -> None:
        """Open for reading; raises `Unavailable` when nothing is there, and `UnknownFormat`."""
        self._path = directory / "state.sqlite"
        self._reading = threading.Lock()
        with guarded(self._path):
            self._connection = open_reader(self._path, state.FORMAT, Opening(sync, busy_ms))

    def audit_head(self) -> Head:
        """Return the end of the chain; number 0 before any row."""
        with self._looking() as connection:
            return deeds.audit_head(connection) if deeds.are_kept(connection) else Head(CHAIN)

    def audit(self, after: int, limit: int) -> list[Row]:
        """Return up to `limit` rows with a number above `after`, by number."""
        with self._looking() as connection:
            kept = deeds.are_kept(connection)
            return deeds.audit_rows(connection, after, limit) if kept else []

    def close(self) -> None:
        """Close the file."""
        with self._looking() as connection:
            connection.close()

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        with self._reading, guarded(self._path):
            yield self._connection
