"""The memory twin: the same promises without a disk, for tests and for trying things out.

Obvious lists and dictionaries; it passes the suite that the embedded home passes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from meltwatch.audit.chain import Deed, Head, Row, following, head_after
from meltwatch.ledger.admission import Held, admit
from meltwatch.ledger.errors import Fenced, OutOfOrder, Truncated, Unavailable
from meltwatch.ledger.port import (
    CHAIN,
    Effect,
    Entry,
    KeptConflict,
    Lost,
    Outcome,
    Owned,
    Stored,
    gateway_epoch,
)
from meltwatch.ledger.span import Span, span_of
from meltwatch.model.encoding import encode


class MemoryHome:
    """A `Home` that lasts as long as the object; handles share it as processes share a disk."""

    def __init__(self) -> None:
        """Start empty."""
        self._stream = MemoryStream()
        self._partitions: dict[str, _Kept] = {}
        self._effect_ids = _Counter()
        self._trail = _Trail()

    @property
    def stream(self) -> MemoryStream:
        """The log."""
        return self._stream

    def partition(self, name: str) -> MemoryPartition:
        """Return a new handle, not yet the owner."""
        kept = self._partitions.setdefault(name, _Kept())
        return MemoryPartition(name, kept, self._effect_ids, self._trail)

    def audit_head(self) -> Head:
        """Return the end of the audit chain."""
        return self._trail.head()

    def audit(self, after: int, limit: int) -> list[Row]:
        """Return up to `limit` audit rows with a number above `after`, by number."""
        rows = [row for _, _, row in self._trail.rows if row.number > after]
        return rows[: max(limit, 0)]

    def close(self) -> None:
        """Do nothing: what is kept stays for the next handle."""


class MemoryStream:
    """The `Stream` of a memory home; while `outage` is set, appending is `Unavailable`."""

    def __init__(self) -> None:
        """Start empty."""
        self.outage: str | None = None
        self._lock = threading.RLock()
        self._end = 0
        self._log: list[tuple[str, Stored]] = []
        self._held: dict[tuple[str, int], Held] = {}
        self._last: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._removed: dict[str, int] = {}
        self._epochs: dict[str, str] = {}
        self._conflicts: list[KeptConflict] = []

    def append(self, partition: str, entries: Sequence[Entry]) -> list[Outcome]:
        """Store what is new."""
        with self._lock:
            if self.outage:
                raise Unavailable("memory", self.outage)
            admission = admit(entries, self, self._end)
            for entry, held_pos in admission.clashes:
                self._keep_conflict(partition, entry, held_pos)
            for stored in admission.accepted:
                self._store(partition, stored)
            return admission.outcomes

    def open_epoch(self, gateway: str, epoch: str) -> str:
        """Note a hello; return the gateway's newest epoch."""
        with self._lock:
            self._epochs[gateway] = max(epoch, self._epochs.get(gateway, epoch))
            return self._epochs[gateway]

    def retain(
        self,
        positions: Mapping[str, int],
        *,
        received_before: int | None = None,
        most_bytes: int | None = None,
    ) -> int:
        """Remove a prefix entry by entry; the newest entry always stays."""
        with self._lock:
            count = 0
            size = self.size_bytes()
            for partition, stored in self._log[:-1]:
                if stored.pos > positions.get(partition, 0):
                    break
                old = received_before is not None and stored.received_at < received_before
                much = most_bytes is not None and size > most_bytes
                if not (old or much) and (received_before, most_bytes) != (None, None):
                    break
                size -= len(stored.data)
                self._removed[partition] = stored.pos
                del self._held[stored.source, stored.seq]
                count += 1
            del self._log[:count]
            return count

    def size_bytes(self) -> int:
        """Return the bytes of all entries' data."""
        with self._lock:
            return sum(len(stored.data) for _, stored in self._log)

    def held_back(self, positions: Mapping[str, int]) -> dict[str, int]:
        """Return the partition of the oldest entry if it keeps that from going."""
        with self._lock:
            return {
                partition: stored.pos
                for partition, stored in self._log[:-1][:1]
                if stored.pos > positions.get(partition, 0)
            }

    def read(self, partition: str, after: int, limit: int) -> list[Stored]:
        """Return up to `limit` entries behind `after`; raises `Truncated`."""
        with self._lock:
            removed = self._removed.get(partition, 0)
            if after < removed:
                raise Truncated(partition, after, removed + 1)
            mine = [s for name, s in self._log if name == partition and s.pos > after]
            return mine[: max(limit, 0)]

    def end(self, partition: str) -> int:
        """Return the position of the partition's last entry, 0 before any."""
        return self._ends.get(partition, 0)

    def last_seq(self, source: str) -> int:
        """Return the source's last stored number, 0 before any."""
        return self._last.get(source, 0)

    def held(self, source: str, seq: int) -> Held | None:
        """Return where the number is stored, None when retention has removed it."""
        return self._held.get((source, seq))

    def sources(self) -> dict[str, int]:
        """Return every source ever stored with its last number."""
        with self._lock:
            return dict(self._last)

    def span(self, source: str, first: int, last: int) -> Span:
        """Return what is held of a source's numbers from `first` to `last`."""
        with self._lock:
            held = sorted(
                (seq, one.digest) for (name, seq), one in self._held.items() if name == source
            )
            end = self._last.get(source, 0)
            mine = [(seq, digest) for seq, digest in held if first <= seq <= last]
            return span_of(source, (first, last), mine, held[0][0] if held else end + 1, end)

    def newest_epoch(self, gateway: str) -> str | None:
        """Return the greatest epoch of the gateway seen by frame or hello."""
        return self._epochs.get(gateway)

    def damage(self) -> list[Lost]:
        """Return nothing: memory does not spoil."""
        return []

    def conflicts(self, after: int, limit: int) -> list[KeptConflict]:
        """Return up to `limit` kept conflicts with an id above `after`."""
        with self._lock:
            return self._conflicts[max(after, 0) :][: max(limit, 0)]

    def _store(self, partition: str, stored: Stored) -> None:
        self._log.append((partition, stored))
        self._held[stored.source, stored.seq] = Held(stored.pos, stored.digest)
        self._last[stored.source] = stored.seq
        self._ends[partition] = self._end = stored.pos
        if pair := gateway_epoch(stored.source):
            self.open_epoch(*pair)

    def _keep_conflict(self, partition: str, entry: Entry, held_pos: int) -> None:
        same = (entry.source, entry.seq, entry.digest)
        if any((kept.source, kept.seq, kept.digest) == same for kept in self._conflicts):
            return
        self._conflicts.append(
            KeptConflict(
                source=entry.source,
                seq=entry.seq,
                data=entry.data,
                digest=entry.digest,
                received_at=entry.received_at,
                kind=entry.kind,
                id=len(self._conflicts) + 1,
                partition=partition,
                held_pos=held_pos,
            )
        )


class _Counter:
    """Ids that are never reused."""

    last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


class _Trail:
    """The audit rows of a home, each with the partition and the position of its commit."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: list[tuple[str, int, Row]] = []

    def head(self) -> Head:
        return head_after(self.rows[-1][2]) if self.rows else Head(CHAIN)

    def add(self, partition: str, pos: int, deeds: Sequence[Deed]) -> None:
        """Add a row for each deed, or after any error none."""
        with self.lock:
            added, head = [], self.head()
            for deed in deeds:
                row = following(head, deed)
                added.append((partition, pos, row))
                head = head_after(row)
            self.rows += added


class _Kept:
    """What a partition keeps whoever owns it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.fence = 0
        self.committed = 0
        self.last_commit: tuple[tuple[bytes, ...], tuple[bytes, ...]] | None = None
        self.effects: list[Effect] = []
        self.checkpoints: list[tuple[int, bytes]] = []


class MemoryPartition:
    """A `Partition` of a memory home."""

    def __init__(self, name: str, kept: _Kept, effect_ids: _Counter, trail: _Trail) -> None:
        """Make a handle that owns nothing yet."""
        self._name = name
        self._kept = kept
        self._effect_ids = effect_ids
        self._trail = trail
        self._fence = 0

    def acquire(self) -> Owned:
        """Become the owner and fence the former one."""
        with self._kept.lock:
            self._kept.fence += 1
            self._fence = self._kept.fence
            pos, state = self._kept.checkpoints[-1] if self._kept.checkpoints else (0, None)
            return Owned(
                fence=self._fence, committed=self._kept.committed, checkpoint=pos, state=state
            )

    def renew(self) -> None:
        """Raise `Fenced` unless still the owner."""
        if not self._fence or self._fence != self._kept.fence:
            raise Fenced(self._name, self._fence, self._kept.fence)

    def commit(self, pos: int, effects: Sequence[bytes], deeds: Sequence[Deed] = ()) -> bool:
        """Move the position, keep effects and deeds; False when this very commit had been made."""
        with self._kept.lock:
            self.renew()
            told = tuple(bytes(data) for data in effects)
            commit = told, tuple(encode(deed) for deed in deeds)
            if pos == self._kept.committed and commit == self._kept.last_commit:
                return False
            if pos <= self._kept.committed:
                raise OutOfOrder(self._name, self._kept.committed, pos)
            self._trail.add(self._name, pos, deeds)
            self._kept.committed, self._kept.last_commit = pos, commit
            self._kept.effects += [Effect(self._effect_ids.next(), pos, data) for data in told]
            return True

    def deeds_at(self, pos: int) -> list[Row]:
        """Return the audit rows of the commit at `pos`, by number."""
        with self._trail.lock:
            return [row for *place, row in self._trail.rows if place == [self._name, pos]]

    def checkpoint(self, pos: int, state: bytes) -> None:
        """Keep the state as of `pos` and drop all but the last two."""
        with self._kept.lock:
            self.renew()
            if pos > self._kept.committed:
                raise OutOfOrder(self._name, self._kept.committed, pos)
            self._kept.checkpoints = [*self._kept.checkpoints[-1:], (pos, bytes(state))]

    def needed_after(self) -> int:
        """Return the former checkpoint's position, 0 until there are two."""
        with self._kept.lock:
            kept = self._kept.checkpoints
            return min(pos for pos, _ in kept) if len(kept) > 1 else 0

    def effects(self, after: int, limit: int) -> list[Effect]:
        """Return up to `limit` committed effects with an id above `after`."""
        with self._kept.lock:
            return [effect for effect in self._kept.effects if effect.id > after][: max(limit, 0)]

    def release_effects(self, through: int) -> None:
        """Remove the effects with an id up to `through`."""
        with self._kept.lock:
            self._kept.effects = [effect for effect in self._kept.effects if effect.id > through]
