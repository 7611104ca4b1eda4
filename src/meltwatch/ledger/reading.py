"""Reading an embedded ledger, beside its writer or in another process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch.audit.chain import Head, Row
from meltwatch.ledger import deeds, state
from meltwatch.ledger.database import Opening, Sync, guarded, open_reader
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.index import FORMAT, Index
from meltwatch.ledger.port import CHAIN, KeptConflict, Stored
from meltwatch.ledger.shelf import Shelf, covering


class EmbeddedReader:
    """A `StreamReader` over a directory; safe to share between threads, one reads at a time."""

    def __init__(self, directory: Path, *, sync: Sync = "full", busy_ms: int = 5_000) -> None:
        """Open for reading; raises `Unavailable` when nothing is there, and `UnknownFormat`."""
        opening = Opening(sync, busy_ms)
        self._directory = directory
        self._reading = threading.RLock()
        self._shelf = Shelf(directory, opening)
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

    def newest_epoch(self, gateway: str) -> str | None:
        """Return the greatest epoch of the gateway seen by frame or hello."""
        with self._looking():
            return self._asked.newest_epoch(gateway)

    def conflicts(self, after: int, limit: int) -> list[KeptConflict]:
        """Return up to `limit` kept conflicts with an id above `after`."""
        with self._looking():
            return self._asked.conflicts(after, limit)

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
            found += self._shelf.reader(first).read(partition, after, limit - len(found))
        return found


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
