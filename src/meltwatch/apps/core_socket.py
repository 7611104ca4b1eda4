"""The local socket of the core: tells web what is so and takes its orders.

`present.live.wire` says what goes over it. It is this user's alone; whoever may open it may give
orders, so that who a person is and what they may do is web's business.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from meltwatch.apps.findings import Findings
from meltwatch.apps.gathering import Gathering
from meltwatch.apps.node import NodeRefused
from meltwatch.apps.requeue import requeue_at
from meltwatch.errors import Problem
from meltwatch.ledger.errors import Unavailable
from meltwatch.model.ids import EnterpriseId
from meltwatch.present.intake import Receive, Scope, Send
from meltwatch.present.live.core_line import Found, Order, OrderRefused, OutOfTurn, Requeue
from meltwatch.present.live.feed import Feed
from meltwatch.present.live.listener import Listener
from meltwatch.present.live.wire import BEAT, BEAT_S, PRIVATE, framed, is_private, socket_of

MOST_LISTENERS = 8
MOST_ORDER_BYTES = 64 * 1024
SEND_S = 5.0
"""A listener that takes nothing for so long is let go."""
BODY_S = 5.0
ONLY_MINE = 0o177
BACKLOG = 64

_log = logging.getLogger(__name__)
_MSGPACK = b"application/msgpack"


class CoreSocket:
    """The ASGI application behind the local socket."""

    def __init__(
        self,
        gathering: Gathering,
        feeds: Mapping[EnterpriseId, Feed],
        findings: Findings | None = None,
    ) -> None:
        """Tell what feeds tell and what was found, and hand orders to the cores."""
        self.gathering = gathering
        self.findings = findings or Findings()
        self.feeds = feeds
        self._listeners: list[Listener] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        match scope["method"], scope["path"]:
            case "GET", "/told":
                await self._tell(receive, send)
            case "POST", "/orders":
                await self._obey(receive, send)
            case "POST", "/requeue":
                await self._requeue(receive, send)
            case "GET", "/findings":
                await _answer(send, 200, Found(self.findings.all()))
            case _:
                await _answer(send, 404)

    def stop(self) -> None:
        """End every stream, so that nobody waits for one."""
        for listener in self._listeners:
            listener.end()

    async def _tell(self, receive: Receive, send: Send) -> None:
        if len(self._listeners) >= MOST_LISTENERS:
            await _answer(send, 503)
            return
        listener = Listener(len(self.feeds))
        self._listeners.append(listener)
        gone = asyncio.create_task(_gone(receive))
        try:
            for feed in self.feeds.values():
                feed.listen(listener)
            await self._stream(listener, gone, send)
        except TimeoutError:
            _log.warning("a listener takes nothing and is let go: it may come again")
        finally:
            gone.cancel()
            self._listeners.remove(listener)
            for feed in self.feeds.values():
                feed.leave(listener)

    async def _stream(self, listener: Listener, gone: asyncio.Task[None], send: Send) -> None:
        """Send what a listener is told, and a heartbeat when that is nothing."""
        head = [(b"content-type", _MSGPACK)]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        while not gone.done():
            try:
                async with asyncio.timeout(BEAT_S):
                    waiting = await listener.take()
            except TimeoutError:
                waiting = []
            if listener.ended:
                break
            for body in [framed(one) for one in waiting] or [BEAT]:
                async with asyncio.timeout(SEND_S):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _obey(self, receive: Receive, send: Send) -> None:
        try:
            order = msgspec.msgpack.decode(await _body(receive), type=Order)
            answer = self.gathering.obey(order)
        except (msgspec.DecodeError, TimeoutError) as error:
            problem = Problem("", "order.malformed", {"why": str(error) or "incomplete"})
            await _answer(send, 422, problem)
        except OrderRefused as refused:
            _log.error("an order is refused: %s", refused.problem)
            await _answer(send, 422, refused.problem)
        except Unavailable:
            await _answer(send, 503)
        else:
            await _answer(send, 409 if isinstance(answer, OutOfTurn) else 200, answer)

    async def _requeue(self, receive: Receive, send: Send) -> None:
        try:
            asked = msgspec.msgpack.decode(await _body(receive), type=Requeue)
            answer = requeue_at(self.gathering.cores, asked, self.gathering.clock.wall_ms())
        except (msgspec.DecodeError, TimeoutError) as error:
            problem = Problem("", "order.malformed", {"why": str(error) or "incomplete"})
            await _answer(send, 422, problem)
        except OrderRefused as refused:
            await _answer(send, 422, refused.problem)
        except Unavailable:
            await _answer(send, 503)
        else:
            await _answer(send, 200, answer)


def listening(data: Path) -> socket.socket:
    """Return the socket of a data directory, bound; a killed core's is replaced.

    To be called by whoever holds the ledger's lock: then nobody lives who listens there. Raises
    NodeRefused.
    """
    path = socket_of(data)
    if path.parent != data.resolve():
        path.parent.mkdir(PRIVATE, exist_ok=True)
        if not is_private(path.parent):
            raise NodeRefused([Problem(str(path.parent), "socket_place_not_ours")])
    try:
        if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
            raise NodeRefused([Problem(str(path), "socket_place_taken")])
        path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        former = os.umask(ONLY_MINE)
        try:
            made.bind(str(path))
        except OSError:
            made.close()
            raise
        finally:
            os.umask(former)
    except OSError as error:
        raise NodeRefused([Problem(str(path), "socket_unusable", {"why": str(error)})]) from error
    made.listen(BACKLOG)
    return made


async def _gone(receive: Receive) -> None:
    """Return once the other end has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    async with asyncio.timeout(BODY_S):
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MOST_ORDER_BYTES:
                raise msgspec.DecodeError(f"more than {MOST_ORDER_BYTES} bytes")
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return bytes(body)


async def _answer(send: Send, status: int, told: msgspec.Struct | None = None) -> None:
    body = b"" if told is None else msgspec.msgpack.encode(told)
    head = [(b"content-type", _MSGPACK), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
