"""The core of a node for one enterprise: append, fold, commit, and only then speak.

Owns the enterprise's partition of the ledger. What is acknowledged is durable; what is published
is committed together with its position; after a crash the journey goes on from the last checkpoint,
silently up to the committed position. `now` is told by the caller: nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from meltwatch.errors import Bug
from meltwatch.journey import Effect, Journey, JourneyState
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import (
    Appended,
    Conflict,
    Entry,
    Gap,
    Home,
    Known,
    Outcome,
    Partition,
    Stream,
)
from meltwatch.model.encoding import decode, encode, record_of
from meltwatch.model.ids import EnterpriseId, EpochId, SourceId
from meltwatch.model.log import (
    EventsRecord,
    Happening,
    Record,
    SamplesRecord,
    TickRecord,
    told_at,
)

OWN = "core"
READ_AT_ONCE = 1_000
CHECKPOINT_EVERY_MS = 30_000


class Core:
    """One enterprise's log and its journey, kept in step."""

    def __init__(self, home: Home, enterprise: EnterpriseId) -> None:
        """Become the owner, fencing a former one, and recover from what is on disk."""
        self.enterprise = enterprise
        self.stream: Stream = home.stream
        self.partition: Partition = home.partition(enterprise)
        self.checkpointed_at = 0
        self._recover()

    # what comes in

    def take_samples(self, frames: Sequence[tuple[SamplesRecord, bytes]]) -> list[Outcome]:
        """Log frames with their digests, in one transaction, and let them travel.

        Returns the ledger's outcome for each; after Appended and Known the sender may forget the
        frame. Raises Unavailable when the outcome is unknown: the sender tries the same again.
        """
        self.come_in_line()
        told: list[SamplesRecord] = []
        newest: dict[SourceId, str] = {}  # a group may hold frames of several epochs
        for record, _ in frames:
            known = newest.get(record.source) or self.stream.newest_epoch(record.source) or ""
            newest[record.source] = max(known, record.epoch)
            backfill = record.epoch < newest[record.source]
            told.append(msgspec.structs.replace(record, backfill=backfill))
        entries = [
            entry_of(record, f"{record.source}/{record.epoch}", record.seq, digest)
            for record, (_, digest) in zip(told, frames, strict=True)
        ]
        outcomes = self._log(told, entries)
        for record, outcome in zip(told, outcomes, strict=True):
            if isinstance(outcome, Conflict):
                self._tell_conflict(record)
        return outcomes

    def say_hello(self, gateway: SourceId, epoch: EpochId) -> EpochId:
        """Note that a gateway has opened an epoch: frames of older ones are back-fill from now.

        Returns the gateway's newest epoch.
        """
        return EpochId(self.stream.open_epoch(gateway, epoch))

    def take_own(self, record: Record) -> None:
        """Log a record of this node's own stream: a config, a command, a tick, a happening."""
        self.come_in_line()
        seq = self.stream.last_seq(OWN) + 1
        digest = hashlib.sha256(encode(record)).digest()
        outcomes = self._log([record], [entry_of(record, OWN, seq, digest)])
        if not isinstance(outcomes[0], Appended):
            raise Bug(f"own record {seq} was not appended: {outcomes[0]}")

    def stored(self, pos: int) -> SamplesRecord | None:
        """Return the frame stored at a position; None if retention has removed it."""
        try:
            found = self.stream.read(self.enterprise, pos - 1, 1)
        except Truncated:
            return None
        record = record_of(found[0].data) if found and found[0].pos == pos else None
        return record if isinstance(record, SamplesRecord) else None

    def next_tick(self) -> TickRecord | None:
        """Return the tick that comes next if nothing else does; None when nothing is waited for."""
        due = self.journey.offline_due()
        wakes = [*due.values()]
        if (wake := self.journey.wake_at()) is not None:
            wakes.append(wake)
        if not wakes:
            return None
        at = min(wakes)
        return TickRecord(at=at, offline=tuple(one for one, when in due.items() if when <= at))

    def checkpoint(self, now: int) -> None:
        """Keep the journey's state if the last one is old enough."""
        if now - self.checkpointed_at >= CHECKPOINT_EVERY_MS:
            self.come_in_line()
            self.partition.checkpoint(self.committed, encode(self.journey.state))
            self.checkpointed_at = now

    def come_in_line(self) -> None:
        """After an unknown outcome, believe the disk and not the memory; else do nothing.

        Every call begins with it, and the owner calls it from time to time, so that what was
        stored after all is judged though nobody sends it again. Raises Unavailable while the store
        fails.
        """
        if not self._in_doubt:
            return
        self.partition.renew()  # a fenced core stays out: it must not take the log back
        self.stream.append(self.enterprise, [])  # the ledger too looks again at what it has
        self._recover()

    # inside

    def _recover(self) -> None:
        """Take up what is on disk, whatever was in memory."""
        owned = self.partition.acquire()
        self.committed = owned.committed
        self.journey = Journey.begin(self.enterprise)
        if owned.state is not None:
            self.journey = Journey(decode(owned.state, JourneyState))
        self._catch_up(owned.checkpoint)
        self._in_doubt = False

    def _log(self, records: Sequence[Record], entries: Sequence[Entry]) -> list[Outcome]:
        """Append, fold, commit."""
        self._in_doubt = True
        outcomes = self._append_and_fold(records, entries)
        self._in_doubt = False
        return outcomes

    def _append_and_fold(
        self, records: Sequence[Record], entries: Sequence[Entry]
    ) -> list[Outcome]:
        outcomes = self.stream.append(self.enterprise, entries)
        effects: list[Effect] = []
        reached = self.committed
        for record, outcome in zip(records, outcomes, strict=True):
            match outcome:
                case Appended(pos=pos):
                    effects += self.journey.step(record)
                    reached = pos
                case Known() | Conflict() | Gap():
                    pass
        if reached > self.committed:
            self._commit(reached, effects)
        return outcomes

    def _commit(self, pos: int, effects: Sequence[Effect]) -> None:
        self.partition.commit(pos, [encode(effect) for effect in effects])
        self.committed = pos

    def _catch_up(self, after: int) -> None:
        """Fold what is logged: silently what is committed, with its effects what is not yet."""
        while entries := self.stream.read(self.enterprise, after, READ_AT_ONCE):
            for stored in entries:
                after = stored.pos
                effects = self.journey.step(record_of(stored.data))
                if stored.pos > self.committed:
                    self._commit(stored.pos, effects)

    def _tell_conflict(self, record: SamplesRecord) -> None:
        params: dict[str, str | int | float] = {"epoch": record.epoch, "seq": record.seq}
        happening = Happening(
            at=record.received_at, subject=record.source, key="frame_conflict", params=params
        )
        told = EventsRecord(
            received_at=record.received_at, source=record.source, events=(happening,)
        )
        self.take_own(told)


def entry_of(record: Record, source: str, seq: int, digest: bytes) -> Entry:
    """Return a record as the ledger takes it."""
    return Entry(
        source=source,
        seq=seq,
        data=encode(record),
        digest=digest,
        received_at=told_at(record),
        kind=str(type(record).__struct_config__.tag),
    )
