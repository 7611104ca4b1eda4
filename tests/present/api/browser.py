"""A browser without a socket: it speaks ASGI to the app, keeps its cookie, and can hold a stream.

httpx's own ASGI transport waits for the end of an answer, which a stream does not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from litestar import Litestar

INTENT = {"meltwatch-request": "1"}
Event = tuple[str, dict[str, Any]]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """Return the first problem; every refusal has one, in both languages."""
        assert self.headers["content-type"].startswith("application/problem+json"), self
        first: dict[str, Any] = self.json["problems"][0]
        assert first["zh"] != first["key"] != first["en"], f"no words for {first['key']}"
        return first


class Exchange:
    """One request on its way through the app."""

    def __init__(self, app: Litestar, scope: dict[str, Any], body: bytes) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.reads = True
        self._leave = asyncio.Event()
        self._news = asyncio.Condition()
        self._request: list[bytes] = [body]
        self.task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: Litestar, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)  # type: ignore[arg-type]
        finally:
            self.ended = True
            await self._tell()

    async def _receive(self) -> dict[str, Any]:
        if self._request:
            return {"type": "http.request", "body": self._request.pop(), "more_body": False}
        await self._leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if not self.reads:
            await asyncio.Event().wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                self.headers[name.decode().lower()] = value.decode()
        else:
            self.body += message.get("body", b"")
            self.ended = self.ended or not message.get("more_body", False)
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, met: Any) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: self.ended or met())

    async def close(self) -> None:
        self._leave.set()
        async with asyncio.timeout(10):
            await self.task

    async def event(self) -> Event:
        """Return the next event of a stream; raises StopAsyncIteration at its end."""
        await self.until(lambda: b"\n\n" in self.body)
        if b"\n\n" not in self.body:
            raise StopAsyncIteration
        told, self.body = self.body.split(b"\n\n", 1)
        fields = dict(line.split(": ", 1) for line in told.decode().split("\n"))
        return fields["event"], msgspec.json.decode(fields["data"])


class Browser:
    """Asks an app; signed in once it has a cookie."""

    def __init__(self, app: Litestar, client: str = "10.0.0.9") -> None:
        self.app, self.client = app, client
        self.cookies: dict[str, str] = {}

    def begin(
        self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """Begin a request; one that changes something says that it is meant."""
        body = json if isinstance(json, bytes) else b"" if json is None else _encoded(json)
        told = {"host": "node", **(INTENT if method in {"POST", "DELETE", "PUT"} else {})}
        if body:
            told |= {"content-type": "application/json", "content-length": str(len(body))}
        if self.cookies:
            told["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        told |= headers or {}
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(where),
            "raw_path": where.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in told.items() if v],
            "client": (self.client, 50_000),
            "server": ("node", 80),
        }
        return Exchange(self.app, scope, body)

    async def ask(
        self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask and wait for the whole answer."""
        exchange = self.begin(method, path, json, headers)
        await exchange.until(lambda: False)
        await exchange.close()
        answer = Answer(exchange.status, exchange.headers, exchange.body)
        for name, morsel in SimpleCookie(answer.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        return answer

    async def peek(self, method: str, path: str, json: Any = None) -> Answer:
        """Ask, and leave as soon as the status is there: a stream would have no end."""
        exchange = self.begin(method, path, json)
        streams = "text/event-stream"
        await exchange.until(lambda: exchange.headers.get("content-type", "").startswith(streams))
        await exchange.close()
        return Answer(exchange.status, exchange.headers, exchange.body)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[Exchange]:
        """Hold a stream."""
        exchange = self.begin("GET", path)
        try:
            await exchange.until(lambda: bool(exchange.status))
            yield exchange
        finally:
            exchange.reads = True
            await exchange.close()

    async def sign_in(self, login: str, password: str) -> Answer:
        return await self.ask("POST", "/api/session", {"login": login, "password": password})


def _encoded(told: Any) -> bytes:
    return msgspec.json.encode(told)
