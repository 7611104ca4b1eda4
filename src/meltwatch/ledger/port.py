"""The seam of the ledger: what every home keeps, and what it promises.

Positions belong to a home: they ascend over all partitions, so a partition's own positions ascend
with holes. A sequence belongs to a source and is dense from 1, whichever partitions its entries go
to (the outbox of `web` is one source for all enterprises). Calls block; callers run them in a
thread or process of their own. Every call may raise `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from meltwatch.audit.chain import Deed, Head, Row
from meltwatch.ledger.span import Span

CHAIN = "core"
"""The name of a home's audit chain."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something to append: `data` is opaque, `digest` says whether two of a number are the same.

    `source` is `gateway/epoch` for frames or the name of an owner's own stream (`core`, `web`).
    `received_at` is the node's wall clock in ms UTC; `kind` is kept for readers and never judged.
    """

    source: str
    seq: int
    data: bytes
    digest: bytes
    received_at: int
    kind: str


class Stored(Entry, frozen=True, kw_only=True, gc=False):
    """An entry at its place in the log."""

    pos: int


class KeptConflict(Entry, frozen=True, kw_only=True, gc=False):
    """An entry that came with a used number and another digest: kept for a person to look at.

    `held_pos` is the place of the entry that has the number.
    """

    id: int
    partition: str
    held_pos: int


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The entry is durable at `pos`."""

    pos: int


class Known(msgspec.Struct, frozen=True, gc=False):
    """The number was taken before and nothing is done; the sender may forget the entry.

    `pos` is its place, or None when retention has removed it: the digest can no longer be
    compared then, and the number alone decides.
    """

    pos: int | None


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The number was taken at `pos` with `digest`; the newcomer is kept among the conflicts."""

    pos: int
    digest: bytes


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Nothing new of this source was stored in this call: it resumes at `expected`."""

    expected: int


Outcome = Appended | Known | Conflict | Gap


class Effect(msgspec.Struct, frozen=True, gc=False):
    """A committed row: `id` ascends over the home and is never reused, `pos` is its commit's."""

    id: int
    pos: int
    data: bytes


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """What a new owner starts from: re-run silently from `checkpoint` to `committed`, then go on.

    `state` is None and `checkpoint` 0 when there is no sound checkpoint; `damaged` names the
    positions of those that were passed over, newest first, for the operator to be told.
    """

    fence: int
    committed: int
    checkpoint: int
    state: bytes | None
    damaged: tuple[int, ...] = ()


class Lost(msgspec.Struct, frozen=True):
    """Entries that cannot be read: their file, first and last position, and whose they are.

    `sources`: each with its numbers (`g/1 5-9`), or only by name where no more can be told.
    """

    file: str
    first: int
    last: int
    sources: tuple[str, ...]


class StreamReader(Protocol):
    """The log as a reader sees it, in the writer's process or in another one."""

    def read(self, partition: str, after: int, limit: int) -> list[Stored]:
        """Return up to `limit` entries behind `after`, by position, each once; [] at the tail.

        What damage has made unreadable is left out, and told by `damage`.
        Raises `Truncated` when retention has removed entries of the partition behind `after`.
        """
        ...

    def end(self, partition: str) -> int:
        """Return the position of the partition's last entry, retained or not; 0 before any."""
        ...

    def last_seq(self, source: str) -> int:
        """Return the source's last stored number, whatever retention has removed; 0 before any."""
        ...

    def sources(self) -> dict[str, int]:
        """Return every source ever stored with its last number."""
        ...

    def span(self, source: str, first: int, last: int) -> Span:
        """Return what is held of a source's numbers from `first` to `last`, both included.

        What cannot be read is not held.
        """
        ...

    def newest_epoch(self, gateway: str) -> str | None:
        """Return the greatest epoch of the gateway that a frame or a hello has shown."""
        ...

    def conflicts(self, after: int, limit: int) -> list[KeptConflict]:
        """Return up to `limit` kept conflicts with an id above `after`, by id."""
        ...

    def damage(self) -> list[Lost]:
        """Return what this reader has met and could not read, by position."""
        ...


class Stream(StreamReader, Protocol):
    """The log as its one writer sees it."""

    def append(self, partition: str, entries: Sequence[Entry]) -> list[Outcome]:
        """Store what is new, all in one transaction, and return an outcome for each entry.

        Durable on return. A gap holds back every new entry of its source in this call and
        disturbs no other source. After `Unavailable` the same call gives `Known` for whatever
        had been stored. Raises `MalformedEntry` before anything is stored.
        """
        ...

    def open_epoch(self, gateway: str, epoch: str) -> str:
        """Note durably that the gateway said hello in `epoch`; return its newest epoch."""
        ...

    def retain(
        self,
        positions: Mapping[str, int],
        *,
        received_before: int | None = None,
        most_bytes: int | None = None,
    ) -> int:
        """Remove a prefix of the log that nobody needs; return the number of entries removed.

        `positions` gives for each partition the least position of all its readers: what lies
        behind it stays, and a partition without a position keeps everything. With
        `received_before` (ms UTC) only what is older goes, with `most_bytes` only what the log has
        beyond that size, with both what either says. A home may keep more than it must.
        """
        ...

    def size_bytes(self) -> int:
        """Return what the log takes, as `most_bytes` counts."""
        ...

    def held_back(self, positions: Mapping[str, int]) -> dict[str, int]:
        """Return which partitions keep the oldest of the log from going, and to which position.

        For each one that has entries there behind its position: the last of them.
        """
        ...


class Partition(Protocol):
    """An owner's handle on one partition: its position, its effects, its checkpoints."""

    def acquire(self) -> Owned:
        """Become the owner and fence the former one."""
        ...

    def renew(self) -> None:
        """Stay the owner; raises `Fenced`."""
        ...

    def commit(self, pos: int, effects: Sequence[bytes], deeds: Sequence[Deed] = ()) -> bool:
        """Move the committed position, keep its effects and audit its deeds, in one transaction.

        Each deed becomes the next row of the home's audit chain. Returns False, and adds nothing,
        when this very commit had been made: a retry after `Unavailable`. Raises `Fenced`, and
        `OutOfOrder` for a position that went back or repeats with other effects or deeds.
        """
        ...

    def deeds_at(self, pos: int) -> list[Row]:
        """Return the audit rows of the commit at `pos`, by number; no owner needed."""
        ...

    def checkpoint(self, pos: int, state: bytes) -> None:
        """Keep the state as of `pos`, at most the committed position; the last two are kept.

        Raises `Fenced`, and `OutOfOrder` for a position ahead of the committed one.
        """
        ...

    def needed_after(self) -> int:
        """Return the position behind which a recovery may read: a bound for `Stream.retain`.

        It is the former checkpoint's, so that a damaged last one can be passed over.
        """
        ...

    def effects(self, after: int, limit: int) -> list[Effect]:
        """Return up to `limit` committed effects with an id above `after`; no owner needed."""
        ...

    def release_effects(self, through: int) -> None:
        """Remove the effects with an id up to `through`, which every reader has taken."""
        ...


class AuditTrail(Protocol):
    """A home's audit chain as a reader sees it, in the writer's process or in another one.

    One chain for all partitions; a row whose stored bytes were changed comes as `SPOILED`.
    """

    def audit_head(self) -> Head:
        """Return the end of the chain; number 0 before any row."""
        ...

    def audit(self, after: int, limit: int) -> list[Row]:
        """Return up to `limit` rows with a number above `after`, by number."""
        ...


class Home(AuditTrail, Protocol):
    """One place where a ledger lives."""

    @property
    def stream(self) -> Stream:
        """The log, open for writing."""
        ...

    def partition(self, name: str) -> Partition:
        """Return a new handle, not yet the owner."""
        ...

    def close(self) -> None:
        """Release files; everything that was promised is durable before."""
        ...


def gateway_epoch(source: str) -> tuple[str, str] | None:
    """Return (gateway, epoch) of a frame's source, None for an owner's own stream."""
    gateway, slash, epoch = source.rpartition("/")
    return (gateway, epoch) if slash else None
