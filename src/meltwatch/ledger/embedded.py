"""The embedded home: a directory of SQLite files and one writer process.

Order of a call: conflicts are kept, the log commits (the one wait for the disk), the index
follows. Whatever goes wrong on the way, the next call first does what opening does: it looks at
the log and brings the index in line.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from meltwatch.audit.chain import Head, Row
from meltwatch.errors import Problem
from meltwatch.ledger.admission import Held, admit
from meltwatch.ledger.database import (
    Opening,
    Sync,
    connect,
    fold,
    guarded,
    open_writer,
    require_sound,
    set_aside,
    sync_directory,
)
from meltwatch.ledger.errors import Damaged, InUse
from meltwatch.ledger.healing import heal
from meltwatch.ledger.index import FORMAT, Index, relax
from meltwatch.ledger.logfile import Facts, Header, LogFile
from meltwatch.ledger.port import Entry, Outcome, Stored
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.ledger.salvage import is_damage
from meltwatch.ledger.shelf import Shelf
from meltwatch.ledger.state import EmbeddedPartition, StateFile

HOUR_MS = 3_600_000
GIB = 1 << 30
FOR_EVER = 1 << 62


class EmbeddedHome:
    """A `Home` in a directory.

    A log file ends with its period of `rotate_ms` (by `received_at`) or at `rotate_bytes`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sync: Sync = "full",
        rotate_ms: int = HOUR_MS,
        rotate_bytes: int = GIB,
        busy_ms: int = 5_000,
    ) -> None:
        """Open or create; raises `InUse`, `Unavailable`, `UnknownFormat`, `Damaged`."""
        opening = Opening(sync, busy_ms)
        with ExitStack() as opened:
            with guarded(directory):
                directory.mkdir(parents=True, exist_ok=True)
                sync_directory(directory.parent)
                opened.callback(_lock(directory).close)
            self._state = StateFile(directory / "state.sqlite", opening)
            opened.callback(self._state.close)
            furthest = self._state.furthest()
            self._stream = EmbeddedStream(directory, opening, rotate_ms, rotate_bytes, furthest)
            opened.callback(self._stream.close)
            self._opened = opened.pop_all()

    @property
    def stream(self) -> EmbeddedStream:
        """The log, open for writing."""
        return self._stream

    def partition(self, name: str) -> EmbeddedPartition:
        """Return a new handle, not yet the owner."""
        return self._state.partition(name)

    def audit_head(self) -> Head:
        """Return the end of the audit chain."""
        return self._state.audit_head()

    def audit(self, after: int, limit: int) -> list[Row]:
        """Return up to `limit` audit rows with a number above `after`, by number."""
        return self._state.audit(after, limit)

    def fold(self) -> None:
        """Fold the write-ahead logs in, as far as readers let it, so that they grow no more."""
        self._state.fold()
        self._stream.fold()

    def close(self) -> None:
        """Close every file, the lock last."""
        self._opened.close()


class EmbeddedStream(EmbeddedReader):
    """The `Stream` of an embedded home; `healed` says what opening had to put right."""

    def __init__(
        self, directory: Path, opening: Opening, rotate_ms: int, rotate_bytes: int, furthest: int
    ) -> None:
        """Open and heal; positions above `furthest` are free whatever the log says."""
        self.healed: list[Problem] = []
        self.set_aside: list[Problem] = []
        self._opening = opening
        self._rotate_ms = rotate_ms
        self._rotate_bytes = rotate_bytes
        self._furthest = furthest
        self._writing = threading.Lock()
        self._log: LogFile | None = None
        self._spoilt: set[int] = set()
        with guarded(directory):
            self._index = self._open_index(directory)
        try:
            super().__init__(directory, sync=opening.sync, busy_ms=opening.busy_ms)
            self._in_line = False
            with self._putting():
                pass
        except BaseException:
            self._index.connection.close()
            raise

    def append(self, partition: str, entries: Sequence[Entry]) -> list[Outcome]:
        """Store what is new in one transaction; durable on return."""
        with self._putting():
            admission = admit(entries, _Past(self._index, self._held_in), self._end)
            if admission.clashes:
                self._index.keep_conflicts(partition, admission.clashes)
            if admission.accepted:
                self._store(partition, admission.accepted)
            return admission.outcomes

    def open_epoch(self, gateway: str, epoch: str) -> str:
        """Note a hello durably; return the gateway's newest epoch."""
        with self._putting():
            self._index.note_epoch(gateway, epoch)
            return self._index.newest_epoch(gateway) or epoch

    def retain(
        self,
        positions: Mapping[str, int],
        *,
        received_before: int | None = None,
        most_bytes: int | None = None,
    ) -> int:
        """Remove whole files, oldest first, up to the first one that somebody needs.

        The newest file always stays.
        """
        with self._putting(), self._reading:
            firsts = self._shelf.firsts()
            size = self._shelf.size_bytes()
            removed: dict[str, int] = {}
            gone: list[int] = []
            count = 0
            if received_before is None and most_bytes is None:
                received_before = FOR_EVER
            for first, behind in pairwise(firsts):
                before = received_before
                if most_bytes is not None and size > most_bytes:
                    before = FOR_EVER
                if before is None or self._is_young(first, before):
                    break
                file = self._facts(first, behind)
                if file.newest_received_at >= before:
                    break
                if any(end > positions.get(name, 0) for name, end in file.ends.items()):
                    break
                size -= self._shelf.size_bytes(first)
                removed |= file.ends
                count += file.entries
                gone.append(first)
            if gone:
                # Forgotten first, deleted after: a kill between leaves files that opening deletes.
                self._index.forget_files(firsts[len(gone)], removed)
                self._shelf.remove(gone)
            return count

    def size_bytes(self) -> int:
        """Return what the log files take, their side files included."""
        with self._reading, guarded(self._directory):
            return self._shelf.size_bytes()

    def held_back(self, positions: Mapping[str, int]) -> dict[str, int]:
        """Return which partitions keep the oldest file from going, and to which position."""
        with self._putting(), self._reading:
            firsts = self._shelf.firsts()[:2]
            if firsts[1:] == []:
                return {}  # the newest file stays anyhow
            ends = self._facts(*firsts).ends
            return {name: end for name, end in ends.items() if end > positions.get(name, 0)}

    def fold(self) -> None:
        """Fold the write-ahead logs in; raises `Unavailable`."""
        with self._writing, guarded(self._directory):
            fold(self._index.connection)
            if self._log:
                fold(self._log.connection)

    def _is_young(self, first: int, before: int) -> bool:
        """Tell at once of most files that are not old enough that they are not."""
        try:
            return self._shelf.reader(first).last_received_at() >= before
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
            return False

    def _facts(self, first: int, behind: int) -> Facts:
        """Return what retention asks of a file; of a damaged one what is sure.

        Every partition may have entries there, up to where the next file begins.
        """
        try:
            return self._shelf.reader(first).facts()
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
        ends = dict.fromkeys(self._index.partitions(), behind - 1)
        try:
            newest = self._shelf.reader(behind).facts().newest_received_at
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
            newest = FOR_EVER - 1
        return Facts(ends, newest, behind - first)

    def close(self) -> None:
        """Close every file; safe to call twice."""
        with self._writing, guarded(self._directory):
            self._drop_log()
            self._index.connection.close()
        super().close()

    @contextmanager
    def _putting(self) -> Iterator[None]:
        """Let one caller write; after an error nothing in memory is trusted any more."""
        with self._writing, guarded(self._directory):
            if not self._in_line:
                self._come_in_line()
            self._in_line = False
            yield
            self._in_line = True

    def _come_in_line(self) -> None:
        self._drop_log()
        with self._reading:
            end, self.healed = heal(self._index, self._shelf)
            firsts = self._shelf.firsts()
        self._end = max(end, self._index.meta("applied"), self._furthest)
        self._log = self._last_file(firsts)

    def _last_file(self, firsts: list[int]) -> LogFile | None:
        """Return the newest file, open for writing; None when it is damaged: a new one follows."""
        if not firsts or firsts[-1] in self._spoilt:
            return None
        try:
            return self._shelf.writer(firsts[-1], self._opening)
        except (sqlite3.DatabaseError, Damaged) as error:
            if not is_damage(error):
                raise
            self._spoilt.add(firsts[-1])
            return None

    def _store(self, partition: str, entries: list[Stored]) -> None:
        try:
            log = self._writable(entries[0].received_at)
            log.append(partition, entries)
        except sqlite3.DatabaseError as error:
            if not is_damage(error) or self._log is None:
                raise
            # Nothing of it was stored. The file is left as it is, to be read as far as it can be.
            self._spoilt.add(self._log.first)
            self._drop_log()
            log = self._writable(entries[0].received_at)
            log.append(partition, entries)
        self._index.apply(log.first, (Header(e.pos, partition, e.source, e.seq) for e in entries))
        self._end = entries[-1].pos

    def _held_in(self, first: int, source: str, seq: int) -> Held | None:
        with self._reading:
            # A file taken away by hand answers like one that retention removed.
            if not self._shelf.path(first).exists():
                return None
            try:
                return self._shelf.reader(first).held(source, seq)
            except (sqlite3.DatabaseError, Damaged) as error:
                if not is_damage(error):
                    raise
                return None  # the digest can no longer be compared

    def _writable(self, received_at: int) -> LogFile:
        """Return the file that the next entry belongs in, a new one when the old is due."""
        if self._log and self._log.is_due(received_at, self._rotate_ms, self._rotate_bytes):
            self._log.seal()
            self._log = None
        if self._log is None:
            first = self._end + 1
            if first in self._spoilt:  # damaged before anything was stored in it
                self._shelf.set_aside(first)
                self._spoilt.discard(first)
            self._log = self._shelf.writer(first, self._opening)
        return self._log

    def _drop_log(self) -> None:
        if self._log:
            with suppress(sqlite3.Error):
                self._log.connection.close()
            self._log = None

    def _open_index(self, directory: Path) -> Index:
        """Open the index; a damaged one is set aside and made again from the log."""
        path = directory / "index.sqlite"
        try:
            connection = open_writer(path, FORMAT, self._opening)
            require_sound(connection, path)
        except (sqlite3.DatabaseError, Damaged) as error:
            # Without any log there is nothing to make it from: a person has to look.
            if not is_damage(error) or not Shelf(directory, self._opening).firsts():
                raise
            set_aside(path)
            self.set_aside.append(Problem(path.name, "ledger.index_set_aside"))
            connection = open_writer(path, FORMAT, self._opening)
        relax(connection, self._opening.sync)
        return Index(connection, self._opening.sync)


class _Past:
    """The `History` that admission asks: the writer's own view, so that it waits for no reader."""

    def __init__(self, index: Index, held_in: Callable[[int, str, int], Held | None]) -> None:
        self._index = index
        self._held_in = held_in

    def last_seq(self, source: str) -> int:
        return self._index.last_seq(source)

    def held(self, source: str, seq: int) -> Held | None:
        first = self._index.file_of(source, seq)
        return None if first is None else self._held_in(first, source, seq)


def _lock(directory: Path) -> sqlite3.Connection:
    """Hold the directory for one writer; the system lets go when the process dies, however."""
    connection = connect(directory / "lock.sqlite", "rwc", Opening(busy_ms=0))
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise InUse(str(directory)) from error
        raise
    return connection
