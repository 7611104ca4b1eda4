"""Gateways that cost the machine little: plain sockets, one frame in flight each, in one thread.

Each frame may be due at an instant; what it waits for its turn then counts as the server's time,
because a plant does not wait either.
"""

from __future__ import annotations

import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import httpx
import msgspec

from meltwatch.apps.bench.load import Lane, Ready
from meltwatch.apps.bench.verdict import BenchFailed
from meltwatch.clock import SystemClock

READ_BYTES = 65_536
SILENT_S = 120.0
"""A server that says nothing for so long has failed."""
NS = 1_000_000_000
AGAIN_NS = NS // 20


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """A frame that was acknowledged: when it was due, sent and acknowledged, monotonic ns."""

    gateway: int
    complete_to: int
    rows: int
    due: int
    sent: int
    acknowledged: int


class _Answer(msgspec.Struct):
    accepted: int
    last_seq: int
    quarantined: list[object] = []


def announce(port: int, lanes: Iterable[Lane]) -> None:
    """Announce what lanes name in their frames; raises httpx.HTTPError for a refusal."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SILENT_S) as client:
        for lane in lanes:
            if (told := lane.announcement()) is not None:
                body, headers = told
                client.post("/v1/layouts", content=body, headers=headers).raise_for_status()


class Speaker(Protocol):
    """Whoever speaks over a connection: a gateway."""

    gateway: int
    acknowledged: int


Understand = Callable[[Speaker, Ready, int, bytes], bool]
"""Takes the answer to a frame, its status and body; False: the same again in a moment."""


class _Line:
    """One gateway's connection."""

    def __init__(self, lane: Speaker, frames: Sequence[Ready], address: tuple[str, int]) -> None:
        self.lane = lane
        self.waiting = deque(frames)
        self.address = address
        self._read = bytearray()
        self.connect()
        self.sent_at: int | None = None
        self.broken_at = 0
        self.due = 0
        self.again_at = 0

    def connect(self) -> None:
        self.socket = socket.create_connection(self.address, SILENT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.broken = False
        self._read.clear()

    def send(self, now: int) -> None:
        self.sent_at = now
        self.socket.sendall(self.waiting[0].request)

    def hear(self) -> tuple[int, bytes] | None:
        """Read on; return the answer's status and body once it is whole."""
        told = self.socket.recv(READ_BYTES)
        if not told:
            raise ConnectionResetError(f"the server hung up on {self.lane.gateway}")
        self._read += told
        head, found, body = bytes(self._read).partition(b"\r\n\r\n")
        if not found:
            return None
        lengths = [
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        if len(body) < sum(lengths):
            return None
        self._read.clear()
        return int(head.split(b" ", 2)[1]), body


class Sending:
    """Sends what lanes have ready; `run` it as often as there is more."""

    def __init__(self, port: int, understand: Understand | None = None) -> None:
        """Send to a core's intake, or to whatever answers as `understand` takes it.

        A connection that is lost is made anew and the same sent again, as a gateway does.
        """
        self.address = ("127.0.0.1", port)
        self._understand = understand or _acknowledged
        self.sent: list[Sent] = []
        self.repeated = 0
        """How often the server asked a gateway to wait."""
        self.reconnected = 0
        self._clock = SystemClock()

    def run(
        self,
        lanes: Sequence[Speaker],
        frames: Sequence[Sequence[Ready]],
        *,
        due: Callable[[Ready], int] | None = None,
        until: int | None = None,
        tell: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Send all frames, or those that are begun by `until`; every answer is waited for.

        `due`: when a frame is to go, monotonic ns; None: as soon as the one before it has been
        acknowledged. `tell` is told about once a second how many have been acknowledged. Raises
        BenchFailed for an answer that is no acknowledgement of all rows, OSError.
        """
        lines = [_Line(lane, told, self.address) for lane, told in zip(lanes, frames, strict=True)]
        first, told_at = len(self.sent), self._clock.monotonic_ns()
        with selectors.DefaultSelector() as selector:
            self._selector = selector
            for line in lines:
                selector.register(line.socket, selectors.EVENT_READ, line)
            try:
                while True:
                    now = self._clock.monotonic_ns()
                    wait = self._send_due(lines, due, until, now)
                    if wait is None:
                        return
                    for key, _ in selector.select(wait):
                        self._hear_or_reconnect(key.data)
                    if now - told_at > NS:
                        told_at = now
                        tell(len(self.sent) - first)
            finally:
                for line in lines:
                    line.socket.close()

    def _send_due(
        self,
        lines: Sequence[_Line],
        due: Callable[[Ready], int] | None,
        until: int | None,
        now: int,
    ) -> float | None:
        """Send what is due; return for how long nothing is, seconds. None: all is done."""
        soonest, flying = now + NS, False
        for line in lines:
            if line.sent_at is not None:
                flying = True
                continue
            if not line.waiting or (until is not None and now >= until and not line.again_at):
                continue
            line.due = now if due is None else due(line.waiting[0])
            at = max(line.due, line.again_at)
            if at <= now:
                self._send(line, now)
                at = max(at, line.again_at)
            soonest, flying = min(soonest, at), True
        return max(soonest - now, 0) / NS if flying else None

    def _send(self, line: _Line, now: int) -> None:
        line.again_at = 0
        try:
            if line.broken:
                line.connect()
                self._selector.register(line.socket, selectors.EVENT_READ, line)
            line.send(now)
        except OSError as error:
            self._break(line, now, error)

    def _hear_or_reconnect(self, line: _Line) -> None:
        try:
            self._hear(line)
        except OSError as error:
            self._break(line, self._clock.monotonic_ns(), error)

    def _break(self, line: _Line, now: int, error: OSError) -> None:
        """Note that a connection is lost: it is made anew in a moment, but not for ever."""
        if not line.broken:
            self._selector.unregister(line.socket)
            line.socket.close()
            line.broken_at = now
            self.reconnected += 1
        elif now - line.broken_at > SILENT_S * NS:
            raise BenchFailed(f"gateway {line.lane.gateway}: {error}") from error
        line.broken, line.sent_at, line.again_at = True, None, now + AGAIN_NS

    def _hear(self, line: _Line) -> None:
        answer = line.hear()
        if answer is None:
            return
        status, body = answer
        now, sent_at, line.sent_at = self._clock.monotonic_ns(), line.sent_at, None
        if not self._understand(line.lane, line.waiting[0], status, body):
            self.repeated += 1
            line.again_at = now + AGAIN_NS
            return
        ready = line.waiting.popleft()
        assert sent_at is not None
        one = Sent(line.lane.gateway, ready.complete_to, ready.rows, line.due, sent_at, now)
        self.sent.append(one)


def _acknowledged(lane: Speaker, ready: Ready, status: int, body: bytes) -> bool:
    """Take a core's answer; raises BenchFailed for one that is no acknowledgement of all rows."""
    if status in (429, 503):
        return False
    told = msgspec.json.decode(body, type=_Answer) if status == 200 else None
    if told is None or told.accepted != ready.rows or told.quarantined:
        raise BenchFailed(f"{status} {body[:500]!r}")
    lane.acknowledged = told.last_seq
    return True
