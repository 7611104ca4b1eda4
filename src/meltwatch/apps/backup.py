"""`meltwatch backup DATA TO`: a node's data as of one moment, taken beside the running processes.

What is copied when is what makes it consistent: nothing in the copy may know of what the copy has
not. History's catalogues come before the log that they were sealed from; register and state are one
cut, since each tells of the other's audit chain; the index and the log come after the state. The
log may then hold more than the state: the next start judges it, as after a kill.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import msgspec

from meltwatch.apps.account import REGISTER
from meltwatch.apps.seal import HISTORY, LEDGER
from meltwatch.clock import Clock
from meltwatch.errors import Problem, Refused
from meltwatch.history.catalogue import FILE, SEGMENTS, Catalogue
from meltwatch.ledger.database import scalar, sync_directory
from meltwatch.ledger.room import MIB, RESERVE
from meltwatch.model.reason import Params

MANIFEST = "backup.json"
VERSION = 1
TRIES = 3
"""How often it begins anew when retention has taken away what it was about to copy."""
BUSY_S = 30.0
PAGES_AT_ONCE = 1_024
CHUNK = 1 << 20
_DATABASES = {".sqlite", ".db"}
_NEVER = {"lock.sqlite", "sealer.lock", "core.sock", RESERVE, MANIFEST}
_PASSING = ("-wal", "-shm", "-journal", ".new", ".tmp", ".lock", ".sock")

Say = Callable[[str], None]


class Kept(msgspec.Struct, frozen=True):
    """A file of a backup: its size, and SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, by path; written last: without it a backup is none."""

    version: int = VERSION
    made_at: int
    files: dict[str, Kept]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied, and how long it took."""

    files: int
    bytes: int
    took_ms: int


class _Disturbed(Exception):  # never leaves this module
    """Something was taken away while it was to be copied: begin anew."""


def backup(data: Path, to: Path, clock: Clock, say: Say) -> Made:
    """Copy a node's data to a new directory; `say` hears of every file.

    Raises Refused: no data there, the place is taken or has no room, or it was disturbed too often.
    """
    began = clock.monotonic_ms()
    _check_places(data, to)
    making = to.with_name(f"{to.name}.part")
    for _ in range(TRIES):
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            files = dict(_Copy(data, making, say).run())
        except _Disturbed:
            say("取走了将要复制的文件,重新开始 / retention took files away: it begins anew")
            continue
        manifest = Manifest(made_at=clock.wall_ms(), files=files)
        write_durably(making / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        with suppress(FileNotFoundError):
            to.rmdir()  # an empty one
        making.rename(to)
        sync_directory(to.parent)
        size = sum(one.bytes for one in files.values())
        return Made(files=len(files), bytes=size, took_ms=clock.monotonic_ms() - began)
    shutil.rmtree(making, ignore_errors=True)
    raise Refused([Problem(str(data), "backup.disturbed", {"tries": TRIES})])


def shown_size(size: int) -> str:
    """Return bytes as people read them."""
    return f"{size / MIB:,.1f} MiB"


def copy_file(source: Path, target: Path) -> Kept:
    """Copy a file that nobody changes; it is on the disk when this returns, its digest known."""
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            size += written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    return Kept(size, digest.hexdigest())


def write_durably(path: Path, text: bytes) -> None:
    """Write a small file; it is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def _check_places(data: Path, to: Path) -> None:
    if not (data / LEDGER / "state.sqlite").is_file():
        raise Refused([Problem(str(data), "backup.no_data")])
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise Refused([Problem(str(to), "backup.place_taken")])
    if to.resolve().is_relative_to(data.resolve()):
        raise Refused([Problem(str(to), "backup.inside")])
    to.parent.mkdir(parents=True, exist_ok=True)
    needs = sum(path.stat().st_size for path in _files(data))
    told = os.statvfs(to.parent)
    free = told.f_bavail * told.f_frsize
    if free < needs:
        sizes: Params = {"needs_mib": -(-needs // MIB), "free_mib": free // MIB}
        raise Refused([Problem(str(to), "backup.no_room", sizes)])


def _files(data: Path) -> Iterator[Path]:
    """Yield what belongs into a backup, by path; side files of databases are part of them."""
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.name not in _NEVER and not path.name.endswith(_PASSING):
            yield path


class _Copy:
    """One try."""

    def __init__(self, data: Path, to: Path, say: Say) -> None:
        self._data, self._to, self._say = data, to, say
        self._ledger = data / LEDGER
        self._done: dict[str, Kept] = {}

    def run(self) -> dict[str, Kept]:
        """Copy in the order that makes it consistent; raises _Disturbed."""
        first_file = self._first_file()
        for path in sorted((self._data / HISTORY).glob("*/*.sqlite")):
            self._database(path)
        self._register_and_state()
        self._database(self._ledger / "index.sqlite")
        for path in sorted(self._ledger.glob("log-*.sqlite")):
            self._log(path)
        if self._first_file() != first_file:
            raise _Disturbed
        for path in _files(self._data):
            name = str(path.relative_to(self._data))
            if name in self._done:
                continue
            if path.suffix in _DATABASES and path.parent == self._ledger:
                continue  # a log file that has begun since: the index does not know it
            self._plain(path)
        self._require_segments()
        return self._done

    def _require_segments(self) -> None:
        """Raise _Disturbed if a copied catalogue counts on a segment that was gone meanwhile."""
        for path in sorted((self._to / HISTORY).glob(f"*/{FILE}")):
            with closing(Catalogue(path.parent)) as catalogue:
                wanted = [path.parent / SEGMENTS / one.path for one in catalogue.segments()]
            if not all(one.is_file() for one in wanted):
                raise _Disturbed

    def _first_file(self) -> int:
        """Return the first log file that retention has left."""
        path = self._ledger / "index.sqlite"
        with closing(_open(path)) as index:
            return scalar(index, "SELECT value FROM meta WHERE key = 'first_file'")

    def _register_and_state(self) -> None:
        """Copy both as of one moment.

        The register is locked until both snapshots stand: so the state's chain holds every head
        that the register's tells of, and the other way round.
        """
        register, state = self._data / REGISTER, self._ledger / "state.sqlite"
        with ExitStack() as opened:
            held = opened.enter_context(closing(_open(state)))
            if register.is_file():
                lock = opened.enter_context(closing(_open(register)))
                lock.execute("BEGIN IMMEDIATE")
                kept = opened.enter_context(closing(_open(register)))
                _snapshot(kept)
                _snapshot(held)
                lock.execute("ROLLBACK")
                self._pages(kept, register)
            else:
                _snapshot(held)
            self._pages(held, state)

    def _database(self, path: Path) -> None:
        with closing(_open(path)) as source:
            self._pages(source, path)

    def _log(self, path: Path) -> None:
        """Copy a log file: a closed one as it is, an open one through SQLite.

        A damaged one is copied byte by byte: a person will want to look at it.
        """
        wal = path.with_name(f"{path.name}-wal")
        try:
            if wal.exists() and wal.stat().st_size:
                self._database(path)
            else:
                self._plain(path)
        except FileNotFoundError as error:
            raise _Disturbed from error
        except sqlite3.OperationalError as error:
            if not path.exists():
                raise _Disturbed from error
            raise
        except sqlite3.DatabaseError:
            self._plain(path)

    def _pages(self, source: sqlite3.Connection, path: Path) -> None:
        """Copy a database through SQLite, whoever writes it meanwhile."""
        target = self._target(path)
        with closing(sqlite3.connect(target)) as made:
            source.backup(made, pages=PAGES_AT_ONCE)
        digest, size = hashlib.sha256(), 0
        with target.open("rb+") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
            os.fsync(file.fileno())
        self._note(path, Kept(size, digest.hexdigest()))

    def _plain(self, path: Path) -> None:
        try:
            kept = copy_file(path, self._target(path))
        except FileNotFoundError as error:
            raise _Disturbed from error
        self._note(path, kept)

    def _target(self, path: Path) -> Path:
        target = self._to / path.relative_to(self._data)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _note(self, path: Path, kept: Kept) -> None:
        name = str(path.relative_to(self._data))
        self._done[name] = kept
        self._say(f"{len(self._done):>5}  {shown_size(kept.bytes):>14}  {name}")


def _open(path: Path) -> sqlite3.Connection:
    """Open for reading; `mode=rw`: only so can a write-ahead log that a crash has left be read."""
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None
    )


def _snapshot(connection: sqlite3.Connection) -> None:
    """Hold what is committed now until the connection is closed."""
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
