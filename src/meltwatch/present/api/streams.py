"""Live streams for screens: server-sent events, a beat every 2 s, ended with the session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

import anyio
from litestar import Response, get
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from meltwatch.model.ids import EnterpriseId
from meltwatch.present.api.guard import account_of
from meltwatch.present.api.openapi import EVENTS, answers
from meltwatch.present.api.rights import in_scope
from meltwatch.present.api.shapes import Beat, Delta, Picture, Summary
from meltwatch.present.api.web import GivenWeb, SignedIn, Web
from meltwatch.present.live.relay import Stream, StreamEnded

LAST_WORDS_S = 1.0
"""How long a stream that is over may take to be closed in good order."""


@get("/api/plants/{enterprise:str}/live", responses=answers(Picture | Delta | Beat, media=EVENTS))
async def plant_live(
    enterprise: FromPath[str], request: SignedIn, web: GivenWeb
) -> Response[bytes]:
    """Stream one plant: `picture`, then each `delta`, and `beat` every 2 s."""
    name = EnterpriseId(enterprise)
    return _live(request, web, lambda: web.relay.watch(name), lambda: web.relay.beat(name))


@get("/api/live", responses=answers(Summary | Beat, media=EVENTS))
async def overview_live(request: SignedIn, web: GivenWeb) -> Response[bytes]:
    """Stream the `summary` of each plant in scope, whole whenever it changes, and `beat`."""
    names = in_scope(request.user, web.sites)
    return _live(request, web, lambda: web.relay.watch_all(names), web.relay.beat)


def _live(
    request: SignedIn,
    web: Web,
    watch: Callable[[], AbstractContextManager[Stream]],
    beat: Callable[[], bytes],
) -> Response[bytes]:
    account, token = request.user, request.auth
    web.places.take(account.login)

    async def may_go_on() -> bool:
        return await account_of(web, token) == account

    return _LiveAnswer(
        watch,
        beat,
        may_go_on=may_go_on,
        beat_s=web.settings.beat_s,
        close=lambda: web.places.give_back(account.login),
    )


class _LiveAnswer(Response[bytes]):
    """A response that goes on until the screen leaves, is too slow, or may see no more."""

    def __init__(
        self,
        watch: Callable[[], AbstractContextManager[Stream]],
        beat: Callable[[], bytes],
        *,
        may_go_on: Callable[[], Awaitable[bool]],
        beat_s: float,
        close: Callable[[], None],
    ) -> None:
        super().__init__(b"", media_type=EVENTS, headers={"x-accel-buffering": "no"})
        self.watch, self.next_beat, self.may_go_on = watch, beat, may_go_on
        self.beat_s, self.close = beat_s, close

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """Return what writes to the screen."""
        return _LiveBody(self)


class _LiveBody(ASGIResponse):
    """Writes one stream."""

    _should_set_content_length = False

    def __init__(self, live: _LiveAnswer) -> None:
        super().__init__(body=b"", media_type=EVENTS, headers=dict(live.headers))
        self.live = live

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer, and give the place back however it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.live.close()

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Write until it is over; whoever cannot be written to any more is left."""
        with self.live.watch() as stream:
            async with anyio.create_task_group() as group:
                stop = group.cancel_scope.cancel
                group.start_soon(self._until_left, receive, stop)
                group.start_soon(self._until_over, stream, stop)
                await self._write(stream, send)
                stop()

    async def _write(self, stream: Stream, send: Send) -> None:
        now = asyncio.get_running_loop().time
        beat_at = now() + self.live.beat_s
        try:
            while True:
                told = await stream.take(beat_at - now())
                if now() >= beat_at:
                    if not await self.live.may_go_on():
                        break
                    told += self.live.next_beat()
                    beat_at = now() + self.live.beat_s
                if told:
                    await send({"type": "http.response.body", "body": told, "more_body": True})
        except StreamEnded:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _until_left(receive: Receive, stop: Callable[[], None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        stop()

    @staticmethod
    async def _until_over(stream: Stream, stop: Callable[[], None]) -> None:
        await stream.over.wait()
        await asyncio.sleep(LAST_WORDS_S)
        stop()
