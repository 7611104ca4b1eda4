"""The HTTP link of one gateway: does what the session asks, and tells it what came of it.

Between the outbox and the server's intake. `session.py` decides which frame goes when and how long
to back off; here are the sockets, the waits and the disk. Every wait has its end. An epoch's
frames are forgotten only once the server has said that it has them.

A new epoch is opened when the server answers again after more than `new_epoch_after_s`, when it
knows a newer one than the outbox (which was lost), and when the live lane has stopped.

Long because: the lanes, the epochs and the proof of the clock share one state and its tasks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard, TypeVar

import msgspec

from meltwatch.clock import Clock
from meltwatch.model.ids import EpochId
from meltwatch.model.reason import Params
from meltwatch.transport import session as sessions
from meltwatch.transport.answer import event_of_frame, event_of_standing, layout_wanted
from meltwatch.transport.epoch import NO_EPOCH, RANDOM_BYTES, BadEpoch
from meltwatch.transport.frame import decode
from meltwatch.transport.inflate import deflate
from meltwatch.transport.intake import FAR_AHEAD_MS, KEY_HEADER, SENT_AT_HEADER, SIGNATURE_HEADER
from meltwatch.transport.lane import (
    Ask,
    Busy,
    Event,
    Forget,
    Pace,
    Rejected,
    Report,
    Send,
    Sleep,
    State,
    Stored,
    Unavailable,
    Woken,
)
from meltwatch.transport.layouts import announcement
from meltwatch.transport.line import Heard, Line, Reply, Waits
from meltwatch.transport.outbox import NotStored, Outbox, Signer
from meltwatch.transport.outbox_clock import Basis, Proof, Settled
from meltwatch.transport.outbox_file import OutboxUnavailable
from meltwatch.transport.session import Session
from meltwatch.transport.signature import sign

T = TypeVar("T")

_SMALL_BYTES = 1_000
"""Bodies no larger than this go as they are: compressing them saves no packet."""
_NO_EPOCH = EpochId("")
_ASKING = {State.ASKING, State.ASK_AGAIN}
_FAR_AHEAD = {"frame.complete_to_ahead", "frame.lost_ahead"}
_HELD_UP = {State.ASK_AGAIN, State.SEND_AGAIN, State.STOPPED}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is, and how it is spoken to. `url`: scheme, host and port."""

    url: str
    signer: Signer
    waits: Waits = Waits()
    pace: Pace = Pace()


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What the stamping clock is worth before the server has been heard.

    `own`: the machine's own clock, told to the server beside every request. `life`: the machine's
    present life (`clock.life`). `recorded`: rows are stamped by what is played.
    """

    own: Clock
    life: str = ""
    recorded: bool = False


class Link:
    """One gateway's link. `run` it once; meanwhile tell it what was `stored`."""

    def __init__(
        self,
        outbox: Outbox,
        server: Server,
        *,
        clock: Clock,
        chance: random.Random,
        report: Callable[[Report], None],
        heard: Callable[[Heard], None] = lambda _: None,
        trust: Trust | None = None,
    ) -> None:
        """Link an outbox to a server.

        `chance` gives jitter and epochs' random halves. `report` is told each trouble once when it
        begins and once when it is over (keys as in `errors.py`, and `outbox.unavailable`); `heard`
        the server's clock with every answer. `clock` stamps what is put; `trust` says how far.
        """
        self.outbox = outbox
        self.session = Session(pace=server.pace)
        self._server = server
        self._clock = clock
        self._trust = trust or Trust(own=clock)
        self._chance = chance
        self._report = report
        self._heard = heard
        self._line: Line | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._moved = asyncio.Event()
        self._opening = asyncio.Lock()
        self._older = asyncio.Lock()
        self._early: dict[EpochId, int] = {}
        self._renamed: dict[EpochId, EpochId] = {}
        self._proven = False
        self._held_up = False
        self._troubles: dict[EpochId, str] = {}
        self._opened_at: int | None = None
        self._owes_epoch = False
        self._forgetting = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then let the live lane finish for `farewell_s` at most.

        Raises OutboxDamaged, and whatever is a defect of ours, as an ExceptionGroup.
        """
        waits = self._server.waits
        async with waits.client(self._server.url) as client, asyncio.TaskGroup() as group:
            self._line = Line(client, self._clock, waits, self._heard)
            self._group = group
            self._spawn(self._begin())
            try:
                await stop.wait()
                await self._farewell()
            finally:
                self._group = None
            for task in self._tasks:
                task.cancel()

    async def open_epoch(self, behind: EpochId | None = None) -> EpochId:
        """Open a new epoch in the outbox and make it the live one: what is put now goes there.

        Raises OutboxUnavailable, BadEpoch; then the former epoch goes on.
        """
        async with self._opening:
            random_bytes = self._chance.randbytes(RANDOM_BYTES)
            now, basis = self._clock.wall_ms(), None
            if not self._proven:
                offset_ms = now - self._clock.monotonic_ms()
                basis = Basis(offset_ms=offset_ms, boot=self._trust.life)
            epoch = await asyncio.to_thread(
                self.outbox.open_epoch, now, random_bytes, behind, basis
            )
            self._opened_at = self._clock.monotonic_ms()
            if self._group is not None and self._proven and self.session.lane(epoch) is None:
                await self._take_up(epoch, 1, self._early.pop(epoch, 0))
        return epoch

    def stored(self, epoch: EpochId, seq: int) -> None:
        """Take notice that the outbox now holds an epoch's frames up to `seq`."""
        while epoch in self._renamed:
            epoch = self._renamed[epoch]
        lane, lanes = self.session.lane(epoch), self.session.lanes
        if not self._proven:
            self._early[epoch] = seq
            return
        if lane is None and lanes and epoch < lanes[0].epoch:  # drained as another was opened
            self._spawn(self._take_up(epoch, seq, seq))
        elif lane is None:  # its epoch is being opened
            self._early[epoch] = seq
        elif seq > lane.through:
            self._spawn(self._handle(epoch, Stored(lane.acked + 1, seq)))

    # what the session asks for

    async def _take_up(self, epoch: EpochId, first: int, last: int) -> None:
        if self.session.lane(epoch) is not None:
            return await self._handle(epoch, Stored(first, last))
        self.session, actions = sessions.open_epoch(self.session, epoch, first, last)
        return await self._act(actions)

    async def _handle(self, epoch: EpochId, event: Event) -> None:
        lane = self.session.lane(epoch)
        if lane is None or (isinstance(event, Stored) and event.through <= lane.through):
            return
        jitter = self._chance.random()
        self.session, actions = sessions.handle(self.session, epoch, event, jitter)
        await self._act(actions)
        lane = self.session.lane(epoch)
        if lane is None or lane.state is not State.STOPPED:
            return
        if self._is_live(epoch):
            self._spawn(self._replace(epoch, event))
        else:
            await self._give_up(epoch, event)

    async def _act(self, actions: tuple[sessions.Action, ...]) -> None:
        """Do the actions in their order; what takes time becomes a task of its own."""
        self._moves()
        for action in actions:
            match action:
                case Forget(epoch=epoch, through=through):
                    await self._forget(epoch, through)
                case Ask(epoch=epoch):
                    self._spawn(self._ask(epoch))
                case Send(epoch=epoch, seq=seq):
                    self._spawn(self._send(epoch, seq))
                case Sleep(epoch=epoch, for_ms=for_ms):
                    self._spawn(self._sleep(epoch, for_ms))
                case Report():
                    self._tell(action)

    async def _ask(self, epoch: EpochId) -> None:
        if self._is_live(epoch):
            reply = await self._standing(epoch)
        else:
            async with self._older:
                reply = await self._standing(epoch)
        await self._mind_newest(reply.newest_epoch)
        gateway = self.outbox.gateway
        told = reply.failed or event_of_standing(reply.status, reply.body, gateway, epoch)
        await self._minding_clock(epoch, reply, told)

    async def _standing(self, epoch: EpochId) -> Reply:
        path = f"/v1/sources/{self.outbox.gateway}/{epoch}"
        signer = self._server.signer
        headers = {
            KEY_HEADER: signer.key_id,
            SIGNATURE_HEADER: sign(signer.key, path.encode()),
            SENT_AT_HEADER: str(self._trust.own.wall_ms()),
        }
        return await self._request("GET", path, headers)

    async def _send(self, epoch: EpochId, seq: int) -> None:
        """Send a frame; an older one waits until the server knows which epoch is the live one."""
        while not self._is_live(epoch) and any(
            one.state in _ASKING for one in self.session.lanes[:1]
        ):
            await self._moved.wait()
        try:
            frame = await self._durably(self.outbox.unsent, epoch, seq - 1)
        except NotStored:
            if self.session.lane(epoch) is None:  # it goes on under another name
                return
            raise
        reply = await self._post("/v1/frames", frame.body, frame.key_id, frame.signature)
        layout = layout_wanted(reply.status, reply.body)
        if layout is not None and await self._announce(layout):
            reply = await self._post("/v1/frames", frame.body, frame.key_id, frame.signature)
        told = reply.failed or event_of_frame(reply.status, reply.body)
        if _is_far_ahead(told) and not self._own_agrees(frame.body):
            told = Rejected(told.reason, retry=True)
        await self._minding_clock(epoch, reply, told)

    async def _post(self, path: str, body: bytes, key_id: str, signature: str) -> Reply:
        headers = {
            "Content-Type": "application/json",
            KEY_HEADER: key_id,
            SIGNATURE_HEADER: signature,
            SENT_AT_HEADER: str(self._trust.own.wall_ms()),
        }
        if len(body) > _SMALL_BYTES:
            headers["Content-Encoding"] = "gzip"
            body = deflate(body)
        return await self._request("POST", path, headers, body)

    async def _announce(self, layout: str) -> bool:
        """Tell the server a list of points that it does not know; tell whether it knows it now."""
        points = await self._durably(self.outbox.layout, layout)
        if points is None:
            return False
        signer = self._server.signer
        body = announcement(self.outbox.gateway, points)
        reply = await self._post("/v1/layouts", body, signer.key_id, sign(signer.key, body))
        return reply.status == 200

    async def _sleep(self, epoch: EpochId, for_ms: int) -> None:
        await asyncio.sleep(for_ms / 1000)
        await self._handle(epoch, Woken())

    # epochs

    async def _request(
        self, method: str, path: str, headers: dict[str, str], content: bytes = b""
    ) -> Reply:
        """Ask the server; the first answer after a long outage opens a new epoch."""
        assert self._line is not None
        reply = await self._line.request(method, path, headers, content)
        if reply.outage_ms > self._server.waits.new_epoch_after_s * 1000:
            self._owes_epoch = True
        if self._owes_epoch and reply.failed is None:
            self._owes_epoch = False
            await self._renew(None)
        return reply

    async def _mind_newest(self, newest: str | None) -> None:
        """Go behind an epoch that the server has and the outbox, made anew, does not know."""
        lanes = self.session.lanes
        if newest is not None and lanes and newest > lanes[0].epoch:
            await self._renew(EpochId(newest))

    async def _renew(self, behind: EpochId | None) -> None:
        """Open a new epoch; if the disk does not let us, with the next answer."""
        try:
            await self.open_epoch(behind)
        except OutboxUnavailable as error:
            self._owes_epoch = True
            self._begins("outbox.unavailable", error.reason)
        except BadEpoch as error:
            self._report(Report(_NO_EPOCH, "session.refused", {"reason": str(error)}))

    async def _replace(self, stopped: EpochId, event: Event) -> None:
        """Open another epoch for the one that has stopped, but not one after the other."""
        if self._opened_at is not None:
            since_s = (self._clock.monotonic_ms() - self._opened_at) / 1000
            await asyncio.sleep(max(self._server.waits.new_epoch_after_s - since_s, 0))
        if self._is_live(stopped):
            await self._renew(None)
        if not self._is_live(stopped):
            await self._give_up(stopped, event)

    async def _give_up(self, epoch: EpochId, event: Event) -> None:
        """Set a stopped epoch aside if its instants are not true yet: later they would pass."""
        if not _is_far_ahead(event):
            return
        frames = await self._durably(self.outbox.set_aside, epoch)
        if frames:
            self._report(Report(epoch, "gateway.frames_aside", {"frames": frames}))
        self.session, actions = sessions.let_go(self.session, epoch)
        await self._act(actions)

    # our clock, as the server sees it

    def _own_agrees(self, body: bytes) -> bool:
        """Tell whether the machine's own clock, too, holds a frame to lie far ahead.

        If it does not, the server's clock is as likely wrong: the frame waits until that is mended.
        """
        return decode(body).complete_to > self._trust.own.wall_ms() + FAR_AHEAD_MS

    async def _begin(self) -> None:
        """Have the server prove our clock, then take up what the outbox holds.

        Until then nothing is sent: what was stamped by a wrong clock can still be mended.
        """
        failures = 0
        while True:
            async with self._opening:
                if await self._durably(lambda: self.outbox.is_proven):
                    self._proven = True
                    break
            reply = await self._standing(NO_EPOCH)
            told = reply.failed or event_of_standing(
                reply.status, reply.body, self.outbox.gateway, NO_EPOCH
            )
            trouble = _trouble_of(told)
            if trouble is None and reply.heard is not None:
                if self._held_up:
                    self._tell(Report(NO_EPOCH, "session.recovered"))
                failures, self._held_up = 0, False
                await self._settle(reply.heard, reply.newest_epoch)
                continue
            if trouble is not None and trouble.key != self._troubles.get(NO_EPOCH):
                self._tell(trouble)
            failures, self._held_up = failures + 1, True
            self._moves()
            await asyncio.sleep(self._wait_ms(told, failures) / 1000)
        self._moves()
        await self._take_up_all()

    def _wait_ms(self, told: Event, failures: int) -> float:
        if isinstance(told, Busy):
            return told.after_ms
        pace = self._server.pace
        longest_ms = min(pace.first_ms * 2 ** min(failures - 1, 32), pace.most_ms)
        return float(longest_ms) * (0.5 + self._chance.random() / 2)

    async def _take_up_all(self) -> None:
        for held in await self._durably(self.outbox.epochs):
            if self.session.lane(held.epoch) is None:
                last = max(held.last, self._early.pop(held.epoch, 0))
                await self._take_up(held.epoch, held.first, last)

    async def _settle(self, heard: Heard, newest: str | None) -> None:
        """Let the outbox mend what our clock has done, and tell it."""
        offset_ms = heard.server_time - (heard.asked_ms + heard.heard_ms) // 2
        proof = Proof(
            now=heard.server_time,
            newest=None if newest in {None, NO_EPOCH} else EpochId(str(newest)),
            basis=Basis(offset_ms=offset_ms, boot=self._trust.life),
            recorded=self._trust.recorded,
        )
        for one in await self._durably(self.outbox.settle, proof):
            if one.former != one.epoch:
                self._renamed[one.former] = one.epoch
            if self.session.lane(one.former) is not None:
                self.session, actions = sessions.let_go(self.session, one.former)
                await self._act(actions)
            for report in reports_of(one):
                self._report(report)

    async def _minding_clock(self, epoch: EpochId, reply: Reply, told: Event) -> None:
        """Handle an answer; an epoch that the server holds to be in the future is named anew."""
        ahead = isinstance(told, Rejected) and told.reason == "frame.epoch_ahead"
        if ahead and reply.heard is not None and self.session.lane(epoch) is not None:
            await self._settle(reply.heard, reply.newest_epoch)
            await self._take_up_all()
        await self._handle(epoch, told)

    async def _forget(self, epoch: EpochId, through: int) -> None:
        """Drop what is acknowledged; the farewell waits for it."""
        self._forgetting += 1
        try:
            await self._durably(self.outbox.forget, epoch, through)
        finally:
            self._forgetting -= 1
            self._moves()

    def _moves(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _farewell(self) -> None:
        try:
            async with asyncio.timeout(self._server.waits.farewell_s):
                while self._forgetting or not self._live_rests():
                    await self._moved.wait()
        except TimeoutError:
            return

    def _live_rests(self) -> bool:
        live = next(iter(self.session.lanes), None)
        if not self._proven:
            return self._held_up
        return live is None or live.is_drained or live.state in _HELD_UP

    def _is_live(self, epoch: EpochId) -> bool:
        return any(one.epoch == epoch for one in self.session.lanes[:1])

    # the disk, and people

    async def _durably(self, call: Callable[..., T], *told: Any) -> T:
        """Call the outbox until its disk lets us."""
        longest_ms = self._server.pace.first_ms
        while True:
            try:
                done = await asyncio.to_thread(call, *told)
            except OutboxUnavailable as error:
                self._begins("outbox.unavailable", error.reason)
                await asyncio.sleep(longest_ms * (0.5 + self._chance.random() / 2) / 1000)
                longest_ms = min(longest_ms * 2, self._server.pace.most_ms)
            else:
                if self._troubles.pop(_NO_EPOCH, None):
                    self._report(Report(_NO_EPOCH, "outbox.recovered"))
                return done

    def _begins(self, key: str, reason: str) -> None:
        if self._troubles.get(_NO_EPOCH) != key:
            self._troubles[_NO_EPOCH] = key
            self._report(Report(_NO_EPOCH, key, {"reason": reason}))

    def _tell(self, report: Report) -> None:
        """Tell a lane's report; a lost line is told once, not once for each epoch."""
        if report.key == "session.recovered":
            was = self._troubles.pop(report.epoch, None)
            if was == "session.unavailable" and was in self._troubles.values():
                return
        else:
            known = report.key in self._troubles.values()
            self._troubles[report.epoch] = report.key
            if report.key == "session.unavailable" and known:
                return
        self._report(report)

    def _spawn(self, work: Any) -> None:
        if self._group is None:
            work.close()
            return
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def reports_of(settled: Settled) -> Iterator[Report]:
    """Yield what people are told of an epoch that the server's clock has changed."""
    frames: Params = {"frames": settled.frames}
    if settled.frames and settled.moved_ms:
        yield Report(settled.epoch, "gateway.frames_moved", {**frames, "ms": settled.moved_ms})
    if settled.frames and settled.unproven:
        yield Report(settled.epoch, "gateway.frames_unproven", frames)
    if settled.frames and settled.aside:
        yield Report(settled.epoch, "gateway.frames_aside", frames)
    if settled.former != settled.epoch:
        yield Report(settled.epoch, "gateway.epoch_renamed", {"former": settled.former})


def _is_far_ahead(told: Event) -> TypeGuard[Rejected]:
    return isinstance(told, Rejected) and not told.retry and told.reason in _FAR_AHEAD


def _trouble_of(told: Event) -> Report | None:
    match told:
        case Unavailable(reason=reason):
            return Report(NO_EPOCH, "session.unavailable", {"reason": reason})
        case Rejected(reason=reason):
            return Report(NO_EPOCH, "session.refused", {"reason": reason})
    return None
