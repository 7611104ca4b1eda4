"""Frames over HTTP: a bare ASGI callable, because this is the path of every sample.

    POST /v1/frames                       a signed frame (docs/formats/frame.md)
    POST /v1/layouts                      a list of points that frames then name by an id
    GET  /v1/sources/{gateway}/{epoch}    the last number; asking also says hello in that epoch
    GET  /healthz                         whether the process answers

It checks who speaks and whether the frame's number may be used, hands the frame on, and answers
only when the ledger has it. Whatever is refused disturbs nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple, Protocol

import msgspec

from meltwatch.errors import Bug, Problem
from meltwatch.ledger.errors import Unavailable
from meltwatch.ledger.port import Conflict, Gap, Known, Outcome
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import Evidence, SamplesRecord
from meltwatch.model.plant import Plant, Source
from meltwatch.model.reason import Params
from meltwatch.present.problem import MEDIA_TYPE, problem_json
from meltwatch.present.reading import BODY_S, Held, Room, read_body
from meltwatch.transport.admit import admit
from meltwatch.transport.answer import Standing, answer, encode
from meltwatch.transport.epoch import NO_EPOCH, is_ahead
from meltwatch.transport.epoch import PATTERN as EPOCH
from meltwatch.transport.errors import (
    Ahead,
    Busy,
    DigestConflict,
    EpochAhead,
    FrameRefused,
    Malformed,
    SequenceGap,
    problem,
    shown,
)
from meltwatch.transport.inflate import inflate
from meltwatch.transport.intake import (
    DEFAULT_LIMITS,
    KEY_HEADER,
    SENT_AT_HEADER,
    SIGNATURE_HEADER,
    Checked,
    Header,
    Limits,
    check_announcement,
    check_asking,
    check_header,
    refuse_epoch_ahead,
    sent_at_of,
)
from meltwatch.transport.judge import Admitted, Quarantined
from meltwatch.transport.layouts import Announced, Layouts, layout_of
from meltwatch.transport.points import PointBook, book_of
from meltwatch.transport.signature import Key

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"
_SOURCE = re.compile(r"/v1/sources/([^/]+)/([^/]+)\Z")
_LEAST_RETRY_S = 1


class Reply(NamedTuple):
    """What goes back; its length is told by whoever sends it."""

    status: int
    body: bytes
    media: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Receiver(Protocol):
    """What stands behind intake: the node that owns the enterprises' logs."""

    def plant_of(self, gateway: SourceId) -> Plant | None:
        """Return the plant in force that has the gateway; None if none has."""
        ...

    async def take(self, record: SamplesRecord, digest: bytes) -> Outcome:
        """Log a frame durably; raises Unavailable, and Busy when too much is waiting."""
        ...

    def say_hello(self, gateway: SourceId, epoch: EpochId) -> EpochId:
        """Note that a gateway speaks in an epoch; return its newest one."""
        ...

    def newest_epoch(self, gateway: SourceId) -> EpochId | None:
        """Return the greatest epoch that the gateway has shown; None before any."""
        ...

    def hear_clock(self, gateway: SourceId, ahead_ms: int) -> None:
        """Take notice of how far a gateway's own clock is ahead of ours."""
        ...

    def keep_layout(self, gateway: SourceId, layout: str, points: tuple[PointCode, ...]) -> None:
        """Log a list of points that frames will name by its id; raises Unavailable."""
        ...

    def stored(self, gateway: SourceId, pos: int) -> SamplesRecord | None:
        """Return the gateway's frame stored at a position; None if it is there no more."""
        ...

    def last_seq(self, gateway: SourceId, epoch: EpochId) -> int:
        """Return the last number stored of a gateway's epoch; 0 before any."""
        ...


class Intake:
    """The ASGI application."""

    def __init__(
        self,
        receiver: Receiver,
        keys: Mapping[str, Key],
        now: Callable[[], int],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Take frames for a receiver; `keys` by their id, `now` the wall clock in ms UTC."""
        self.receiver = receiver
        self.keys = keys
        self.now = now
        self.limits = limits
        self.room = Room()
        self.body_s = BODY_S
        self.layouts = Layouts()
        self._posted = {"/v1/frames": self._frame, "/v1/layouts": self._layout}
        self._books: dict[SourceId, tuple[Plant, PointBook]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            reply = await self._answer(scope, receive)
        except FrameRefused as refused:
            reply = self._refusal(refused)
        except Unavailable as error:
            reply = self._unavailable(error)
        await _send(send, reply)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        method, path = scope["method"], scope["path"]
        if (posted := self._posted.get(path)) is not None:
            if method != "POST":
                return _method("POST")
            key = _header(scope).key or ""
            held = Held(self.room, key if key in self.keys else "")
            try:
                return await posted(scope, receive, held)
            finally:
                held.let_go()
        if (source := _SOURCE.match(path)) is not None:
            return self._source(scope, source) if method == "GET" else _method("GET")
        if path == "/healthz":
            return Reply(200, b'{"ok":true}')
        told = (Problem(path, "route.unknown"),)
        return Reply(404, problem_json(404, told), MEDIA_TYPE)

    async def _frame(self, scope: Scope, receive: Receive, held: Held) -> Reply:
        body = await self._body(scope, receive, held)
        now, header = self.now(), _header(scope)
        checked = self._checked(body, header, now)
        frame = checked.frame
        admitted = admit(frame, self._book(frame.gateway), now)
        outcome = await self.receiver.take(record_of(checked, admitted, now), checked.digest)
        if isinstance(outcome, Gap):
            raise SequenceGap(outcome.expected)
        if isinstance(outcome, Conflict):
            raise DigestConflict(frame.seq)
        if isinstance(outcome, Known) and outcome.pos is not None:
            admitted = _admitted_then(self.receiver.stored(frame.gateway, outcome.pos)) or admitted
        last = self.receiver.last_seq(frame.gateway, frame.epoch)
        return Reply(200, encode(answer(admitted, last, self.now())))

    async def _layout(self, scope: Scope, receive: Receive, held: Held) -> Reply:
        """Keep a list of points that frames may name; in the log before it is said to be kept."""
        body = await self._body(scope, receive, held)
        header = _header(scope)
        told = check_announcement(
            body, header, keys=self.keys, sources=self._sources(header), limits=self.limits
        )
        points = tuple(told.points)
        layout = layout_of(points)
        if self.layouts.get(told.gateway, layout) is None:
            self.receiver.keep_layout(told.gateway, layout, points)
            self.layouts.keep(told.gateway, points)
        return Reply(200, msgspec.json.encode(Announced(layout=layout, server_time=self.now())))

    def _checked(self, body: bytes, header: Header, now: int) -> Checked:
        """Check a frame's header; what shows a gateway's clock wrong is told to people too."""
        try:
            checked = check_header(
                body,
                header,
                keys=self.keys,
                sources=self._sources(header),
                now=now,
                limits=self.limits,
                layouts=self.layouts,
            )
            gateway, epoch = checked.frame.gateway, checked.frame.epoch
            if is_ahead(epoch, None, now):  # rare, and only then what is newest is asked for
                refuse_epoch_ahead(epoch, self.receiver.newest_epoch(gateway), now)
        except (Ahead, EpochAhead) as refused:
            gateway = self.keys[header.key or ""].gateway  # it was proven before it was read
            self.receiver.hear_clock(gateway, int(refused.problems[0].params["ahead_ms"]))
            raise
        self.receiver.hear_clock(gateway, (checked.sent_at or now) - now)
        return checked

    def _source(self, scope: Scope, source: re.Match[str]) -> Reply:
        gateway, epoch = SourceId(source[1]), EpochId(source[2])
        header = _header(scope)
        check_asking(scope["path"], gateway, header, keys=self.keys, sources=self._sources(header))
        if not re.match(EPOCH, epoch):  # it would be the newest for ever, or nobody's
            told: Params = {"expected": "epoch", "told": shown(epoch)}
            raise Malformed(problem("epoch", "frame.field_type", told))
        newest = self.receiver.newest_epoch(gateway)
        now = self.now()
        self.receiver.hear_clock(gateway, (sent_at_of(header) or now) - now)
        if epoch != NO_EPOCH:
            refuse_epoch_ahead(epoch, newest, now)
            newest = self.receiver.say_hello(gateway, epoch)
        standing = Standing(
            gateway=gateway,
            epoch=epoch,
            newest_epoch=newest,
            last_seq=self.receiver.last_seq(gateway, epoch),
            server_time=self.now(),
        )
        return Reply(200, encode(standing))

    def _refusal(self, refused: FrameRefused) -> Reply:
        """Return a refusal for people and, in the members of `transport.answer`, for lanes."""
        also: dict[str, Any] = {}
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if isinstance(refused, SequenceGap):
            also["expected"] = refused.expected
        if isinstance(refused, EpochAhead):
            also["newest_epoch"] = refused.newest
        if isinstance(refused, Busy):
            also["after_ms"] = refused.after_ms
            headers = ((b"retry-after", str(-(-refused.after_ms // 1000)).encode()),)
        body = problem_json(
            refused.status,
            refused.problems,
            refused=refused.key,
            retry=refused.retry,
            server_time=self.now(),
            **also,
        )
        return Reply(refused.status, body, MEDIA_TYPE, headers)

    def _unavailable(self, error: Unavailable) -> Reply:
        told = Problem("", "frame.unavailable", {"reason": error.reason})
        body = problem_json(503, (told,), refused=told.key, retry=True, server_time=self.now())
        headers = ((b"retry-after", str(_LEAST_RETRY_S).encode()),)
        return Reply(503, body, MEDIA_TYPE, headers)

    async def _body(self, scope: Scope, receive: Receive, held: Held) -> bytes:
        """Return the body as it was before it was compressed."""
        limit = self.limits.body_bytes
        came = await read_body(receive, _length(scope), limit, held, self.body_s)
        body = inflate(came, _encoding(scope), limit)
        held.more(len(body) if body is not came else 0)
        return body

    def _sources(self, header: Header) -> Mapping[SourceId, Source]:
        """Return the gateways of the plant that a message's key speaks for; none without one."""
        key = self.keys.get(header.key or "")
        plant = None if key is None else self.receiver.plant_of(key.gateway)
        return {} if plant is None else plant.sources

    def _book(self, gateway: SourceId) -> PointBook:
        """Return the gateway's book, made once for each config record."""
        plant = self.receiver.plant_of(gateway)
        if plant is None:
            raise Bug(f"{gateway} was checked and has no plant")
        known = self._books.get(gateway)
        if known is None or known[0] is not plant:
            known = self._books[gateway] = (plant, book_of(plant, gateway))
        return known[1]


def record_of(checked: Checked, admitted: Admitted, now: int) -> SamplesRecord:
    """Return the record that the log keeps of a frame, with what the source sent as evidence."""
    frame = checked.frame
    return SamplesRecord(
        received_at=now,
        source=frame.gateway,
        epoch=frame.epoch,
        seq=frame.seq,
        complete_from=frame.complete_from,
        complete_to=frame.complete_to,
        samples=admitted.samples,
        mark=frame.mark,
        lost=frame.lost,
        evidence=Evidence(
            body=checked.body,
            key=checked.key,
            signature=checked.signature,
            quarantined=tuple((one.row, one.key) for one in admitted.quarantined),
        ),
    )


def _admitted_then(record: SamplesRecord | None) -> Admitted | None:
    """Return how a stored frame was admitted: a repeat gets the answer of its first sending."""
    if record is None or record.evidence is None:
        return None
    quarantined = tuple(Quarantined(row, key) for row, key in record.evidence.quarantined)
    return Admitted(record.samples, quarantined)


def _header(scope: Scope) -> Header:
    told = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Header(
        key=told.get(KEY_HEADER.lower().encode()),
        signature=told.get(SIGNATURE_HEADER.lower().encode()),
        sent_at=told.get(SENT_AT_HEADER.lower().encode()),
    )


def _length(scope: Scope) -> int | None:
    """Return how long a body will be by its head; None: it does not tell."""
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(told) if told.isdigit() else None


def _encoding(scope: Scope) -> str | None:
    told = (value for name, value in scope["headers"] if name.lower() == b"content-encoding")
    return b", ".join(told).decode("latin-1") or None


def _method(allowed: str) -> Reply:
    told = (Problem("", "route.method", {"allowed": allowed}),)
    return Reply(405, problem_json(405, told), MEDIA_TYPE, ((b"allow", allowed.encode()),))


async def _send(send: Send, reply: Reply) -> None:
    length = (b"content-length", str(len(reply.body)).encode())
    head = [(b"content-type", reply.media), length, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": head})
    await send({"type": "http.response.body", "body": reply.body})
