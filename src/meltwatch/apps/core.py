"""The core of a node for one enterprise: append, fold, commit, and only then speak.

    frames, orders, ticks -> append -> fold -> commit (effects, deeds, position) -> tell

Owns the enterprise's partition of the ledger. What is acknowledged is durable; what is published
is committed together with its position; after a crash the journey goes on from the last checkpoint,
silently up to the committed position. `now` is told by the caller: nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from meltwatch.apps.core_damage import alarms_lost, entry_spoilt
from meltwatch.apps.core_order import WEB, Ordered, answer_of, deeds_of, digest_of
from meltwatch.apps.stored import OWN, STATE_FORM, record_sound, state_of, stored_state
from meltwatch.audit.chain import Head
from meltwatch.errors import Bug, Problem
from meltwatch.journey import Effect, Journey, JourneyState
from meltwatch.ledger.errors import Truncated, Unavailable
from meltwatch.ledger.port import (
    Appended,
    Conflict,
    Entry,
    Gap,
    Home,
    Known,
    Outcome,
    Partition,
    Stored,
    Stream,
)
from meltwatch.model.encoding import UnknownEncoding, encode
from meltwatch.model.ids import EnterpriseId, EpochId, SourceId
from meltwatch.model.log import (
    EventsRecord,
    Happening,
    Record,
    SamplesRecord,
    TickRecord,
    told_at,
)
from meltwatch.model.reason import Params
from meltwatch.present.live.core_line import Obeyed, Order, OrderRefused, OutOfTurn

PASSED_OVER = "-"
"""The partition of orders for enterprises that the node has not; no enterprise is named so."""
READ_AT_ONCE = 1_000
LOOK_BACK = 2_000
"""How many positions back the newest values are looked for at a start."""
CHECKPOINT_EVERY_MS = 30_000
CONFLICTS_KEPT = 256
"""Of how many epochs conflicts are remembered at most, and how many of each."""


Step = tuple[Record, list[Effect]]


class Observer(Protocol):
    """Whoever wants to be told what is so, once it is durable."""

    def committed(self, record: Record, effects: Sequence[Effect]) -> None:
        """Hear of a record and what followed from it; after a recovery some come again."""
        ...

    def taken_up(self, state: JourneyState) -> None:
        """Hear that the state was taken up from disk: it, not what was told before, is so.

        The state goes on in place with every record, until another one is taken up.
        """
        ...


class Nobody:
    """Hears nothing."""

    def committed(self, record: Record, effects: Sequence[Effect]) -> None:
        """Hear nothing."""

    def taken_up(self, state: JourneyState) -> None:
        """Hear nothing."""


class Core:
    """One enterprise's log and its journey, kept in step."""

    def __init__(
        self, home: Home, enterprise: EnterpriseId, observer: Observer | None = None
    ) -> None:
        """Become the owner, fencing a former one, and recover from what is on disk."""
        self.enterprise = enterprise
        self.observer: Observer = observer or Nobody()
        self._home = home
        self.stream: Stream = home.stream
        self.partition: Partition = home.partition(enterprise)
        self.checkpointed_at = 0
        self._conflicts: OrderedDict[str, set[bytes]] = OrderedDict()
        self.spoilt: dict[int, Problem] = {}
        """What of the log was passed over because its bytes are not what was stored."""
        self.alarms_lost: tuple[Problem, ...] = ()
        """Alarms that were said and that the state lacks, since the log has lost their entries."""
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
        for record, entry, outcome in zip(told, entries, outcomes, strict=True):
            if isinstance(outcome, Conflict) and self._is_news(entry):
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
        self.stream.append(self.enterprise, [])  # another core's doubt: the number may be taken
        seq = self.stream.last_seq(OWN) + 1
        digest = hashlib.sha256(encode(record)).digest()
        self.log_own(record, entry_of(record, OWN, seq, digest))

    def log_own(self, record: Record, entry: Entry) -> None:
        """Log a record of the node's own under a number that is free, and let it travel."""
        (outcome,) = self._log([record], [entry])
        if not isinstance(outcome, Appended):
            raise Bug(f"own record {entry.source} {entry.seq} was not appended: {outcome}")

    def audit_head(self) -> Head:
        """Return the end of the node's audit chain."""
        return self._home.audit_head()

    def obey(self, order: Order, now: int) -> Obeyed | OutOfTurn:
        """Log an order and obey it, or say why not; the same order again gives the same answer.

        Raises Unavailable when the outcome is unknown, and OrderRefused for another order under a
        number that is taken: web's outbox and this log disagree, and a person has to look.
        """
        self.come_in_line()
        record = Ordered(received_at=now, command=order.command, other=order.other)
        entry = entry_of(record, WEB, order.seq, digest_of(order))
        (outcome,) = self._log([record], [entry])
        match outcome:
            case Appended(pos=int(pos)) | Known(pos=int(pos)):
                rows = self.partition.deeds_at(pos)
                if not rows:  # it came while the enterprise was not this node's: `pass_over`
                    return self._nobodys(order)
                return answer_of(order.seq, rows[0])
            case Known():  # so long ago that the log has dropped it
                return Obeyed(seq=order.seq, head=self._home.audit_head())
            case Gap(expected=expected):
                return OutOfTurn(expected=expected)
            case Conflict():
                self._tell_of(now, WEB, "order_conflict", {"seq": order.seq})
                raise OrderRefused(Problem("seq", "order.conflict", {"seq": order.seq}))

    def pass_over(self, order: Order, now: int) -> Obeyed | OutOfTurn:
        """Log an order for an enterprise that this node has not, where nobody folds it.

        Its number is used, so that the orders behind it go on. Raises as `obey`.
        """
        record = Ordered(received_at=now, command=order.command, other=order.other)
        entry = entry_of(record, WEB, order.seq, digest_of(order))
        (outcome,) = self.stream.append(PASSED_OVER, [entry])
        match outcome:
            case Gap(expected=expected):
                return OutOfTurn(expected=expected)
            case Conflict():
                raise OrderRefused(Problem("seq", "order.conflict", {"seq": order.seq}))
            case Appended() | Known():
                return self._nobodys(order)

    def _nobodys(self, order: Order) -> Obeyed:
        told: Params = {"enterprise": order.enterprise}
        problem = Problem("enterprise", "order.no_enterprise", told)
        return Obeyed(seq=order.seq, problems=(problem,), head=self._home.audit_head())

    def stored(self, pos: int) -> SamplesRecord | None:
        """Return the frame stored at a position; None if retention has removed it."""
        try:
            found = self.stream.read(self.enterprise, pos - 1, 1)
        except Truncated:
            return None
        record = self._sound(found[0]) if found and found[0].pos == pos else None
        return record if isinstance(record, SamplesRecord) else None

    def recent(self) -> Iterator[SamplesRecord]:
        """Yield the frames among the log's last `LOOK_BACK` positions, in order."""
        after = max(self.stream.end(self.enterprise) - LOOK_BACK, 0)
        while True:
            try:
                entries = self.stream.read(self.enterprise, after, READ_AT_ONCE)
            except Truncated as truncated:
                after = truncated.first - 1
                continue
            if not entries:
                return
            after = entries[-1].pos
            for one in entries:
                record = self._sound(one) if one.kind == "samples" else None
                if isinstance(record, SamplesRecord):
                    yield record

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
        """Keep the journey's state if the last one is old enough.

        One that the store cannot take now loses nothing, a start only takes longer: it is tried
        again later, and ticks do not wait for it.
        """
        if now - self.checkpointed_at >= CHECKPOINT_EVERY_MS:
            self.come_in_line()
            self.checkpointed_at = now
            with suppress(Unavailable):
                self.partition.checkpoint(self.committed, stored_state(self.journey.freeze()))

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
        state = None if owned.state is None else state_of(owned.state)
        self.journey = Journey.begin(self.enterprise) if state is None else Journey(state)
        try:
            self._catch_up(0 if state is None else owned.checkpoint)
        except Truncated as gone:
            form = (owned.state or b"\0")[0]
            told = f"checkpoint of form {form}, this program reads {STATE_FORM}"
            raise UnknownEncoding(f"{told}; the log before {gone.first} is gone") from gone
        self._in_doubt = False
        self.alarms_lost = ()
        if self.spoilt or self.stream.damage():
            self.alarms_lost = alarms_lost(
                self.partition, owned.checkpoint, owned.committed, self.journey.state.board
            )
        self.observer.taken_up(self.journey.state)

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
        steps: list[Step] = []
        reached = self.committed
        for record, outcome in zip(records, outcomes, strict=True):
            match outcome:
                case Appended(pos=pos):
                    steps.append((record, self.journey.step(record)))
                    reached = pos
                case Known() | Conflict() | Gap():
                    pass
        if reached > self.committed:
            self._commit(reached, steps)
        return outcomes

    def _commit(self, pos: int, steps: Sequence[Step]) -> None:
        """Make durable what follows from records, and only then tell it."""
        effects = [encode(effect) for _, told in steps for effect in told]
        deeds = [deed for record, told in steps for deed in deeds_of(record, told)]
        self.partition.commit(pos, effects, deeds)
        self.committed = pos
        for record, told in steps:
            self.observer.committed(record, told)

    def _catch_up(self, after: int) -> None:
        """Fold what is logged: silently what is committed, with its effects what is not yet.

        The observer is told of both: of what is committed it may have missed some.
        """
        while entries := self.stream.read(self.enterprise, after, READ_AT_ONCE):
            for stored in entries:
                after = stored.pos
                record = self._sound(stored)
                if record is None:
                    continue
                effects = self.journey.step(record)
                if stored.pos > self.committed:
                    self._commit(stored.pos, [(record, effects)])
                else:
                    self.observer.committed(record, effects)

    def _is_news(self, entry: Entry) -> bool:
        """Tell whether a frame in conflict was not told of yet: whoever sends it may try for days.

        Remembered by digest for the latest epochs; another frame, or a start, is news again.
        """
        told = self._conflicts.setdefault(entry.source, set())
        self._conflicts.move_to_end(entry.source)
        if len(self._conflicts) > CONFLICTS_KEPT:
            self._conflicts.popitem(last=False)
        if entry.digest in told:
            return False
        if len(told) >= CONFLICTS_KEPT:
            told.clear()
        told.add(entry.digest)
        return True

    def _sound(self, stored: Stored) -> Record | None:
        """Return the record of an entry; None, and say so, when damage has changed its bytes."""
        record = record_sound(stored, self.enterprise)
        if record is None:
            self.spoilt[stored.pos] = entry_spoilt(self.enterprise, stored)
        return record

    def _tell_conflict(self, record: SamplesRecord) -> None:
        params: Params = {"epoch": record.epoch, "seq": record.seq}
        self._tell_of(record.received_at, record.source, "frame_conflict", params)

    def _tell_of(self, at: int, subject: str, key: str, params: Params) -> None:
        happening = Happening(at=at, subject=subject, key=key, params=params)
        told = EventsRecord(received_at=at, source=SourceId(subject), events=(happening,))
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
