"""Short ways to say entries and homes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.memory import MemoryHome
from meltwatch.ledger.port import Entry, Home, Stored, StreamReader

PLANT = "plant-1"


def entry(source: str, seq: int, data: bytes | None = None, at: int = 0) -> Entry:
    """Return an entry; its data say which one it is unless told otherwise."""
    data = f"{source}#{seq}".encode() if data is None else data
    return Entry(
        source=source,
        seq=seq,
        data=data,
        digest=hashlib.sha256(data).digest(),
        received_at=at,
        kind="samples",
    )


def run(source: str, first: int, last: int, at: int = 0) -> list[Entry]:
    """Return the entries `first..last` of a source."""
    return [entry(source, seq, at=at) for seq in range(first, last + 1)]


def digest_of(told: Entry) -> bytes:
    """Return what the digest of an entry made here should be."""
    return hashlib.sha256(told.data).digest()


def everything(stream: StreamReader, partition: str = PLANT, after: int = 0) -> list[Stored]:
    """Read to the tail in small steps."""
    found: list[Stored] = []
    while step := stream.read(partition, found[-1].pos if found else after, 3):
        found += step
    return found


def names(stored: Sequence[Stored]) -> list[tuple[str, int]]:
    """Return (source, seq) of each."""
    return [(told.source, told.seq) for told in stored]


class Place:
    """A home that can be closed and opened again, as a process that stops and starts."""

    def __init__(self, open_home: Callable[[], Home]) -> None:
        self._open = open_home
        self.home = open_home()

    def reopen(self) -> Home:
        self.home.close()
        self.home = self._open()
        return self.home


def memory_place() -> Place:
    """Return a place in memory: the same home lasts through every reopening."""
    home = MemoryHome()
    return Place(lambda: home)


def embedded(path: Path, rotate_bytes: int = 1 << 30) -> EmbeddedHome:
    """Open an embedded home whose files last one second of `received_at`; no wait for the disk."""
    return EmbeddedHome(path, sync="off", rotate_ms=1_000, rotate_bytes=rotate_bytes, busy_ms=500)


def embedded_place(path: Path) -> Place:
    """Return a place on disk."""
    return Place(lambda: embedded(path))
