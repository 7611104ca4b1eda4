"""The web process on a stage: real register, relay, outbox and app; the core is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from litestar import Litestar

from meltwatch.history.export import Format
from meltwatch.history.held import Held, after_samples, nothing_held
from meltwatch.history.queries import Gap, Gaps
from meltwatch.history.ruling import Ruling
from meltwatch.ledger.errors import LedgerError
from meltwatch.ledger.memory import MemoryHome
from meltwatch.ledger.span import Span
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.present.api.app import make_app
from meltwatch.present.api.outbox import Outbox
from meltwatch.present.api.web import Settings, Web
from meltwatch.present.live.relay import Relay
from meltwatch.register.register import Register
from tests.present.api.browser import Browser
from tests.present.api.line import ScriptedLine, Still
from tests.present.api.plants import CAST, NOW, SITES, STEEL, alarmed, picture
from tests.present.api.staff import PASSWORD, register_with

SETTINGS = Settings(node="county", beat_s=0.05)


class Columns(msgspec.Struct, frozen=True):
    """A trend."""

    at: Sequence[int]
    least: Sequence[float | None]
    most: Sequence[float | None]
    last: Sequence[float | None]
    blind: Sequence[tuple[int, int]]


class ScriptedTrends:
    """Answers one step, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def trend(
        self, enterprise: EnterpriseId, point: PointCode, at_from: int, at_to: int, width: int
    ) -> Columns:
        self.asked.append((enterprise, point, at_from, at_to, width))
        return Columns([at_to], [1.0], [3.0], [None], [(at_from, at_from + 5)])

    def snapshot(self, enterprise: EnterpriseId, at: int, points: Sequence[PointCode]) -> Held:
        self.asked.append((enterprise, at, tuple(points)))
        return after_samples(
            nothing_held(),
            Ruling(
                points=tuple(points[:1]),
                point=np.zeros(1, "<i4"),
                at=np.asarray([at]),
                value=np.asarray([2.5]),
                quality=np.asarray([1], "<u2"),
            ),
        )

    def gaps(
        self, enterprise: EnterpriseId, at_from: int, at_to: int, points: Sequence[PointCode]
    ) -> Gaps:
        self.asked.append((enterprise, at_from, at_to, tuple(points)))
        gap = Gap(source="gw", state="lost", begins=at_from, ends=at_to)
        return Gaps(sources=(gap,), silent=dict.fromkeys(points, ((at_from, at_to),)))

    def export(
        self,
        enterprise: EnterpriseId,
        points: Sequence[PointCode],
        at_from: int,
        at_to: int,
        form: Format,
    ) -> Iterator[bytes]:
        self.asked.append((enterprise, tuple(points), at_from, at_to, form))
        yield b"one\n"
        yield b"two\n"


class ScriptedNumbers:
    """A ledger of memory, and an error to raise if one is set."""

    def __init__(self) -> None:
        self.stream = MemoryHome().stream
        self.error: LedgerError | None = None

    def span(self, source: str, first: int, last: int) -> Span:
        if self.error:
            raise self.error
        return self.stream.span(source, first, last)


class Stage:
    """All of it; `run` the tasks and ask."""

    def __init__(
        self,
        register: Register,
        *,
        settings: Settings = SETTINGS,
        screens: Path | None = None,
        answer_within_s: float = 2.0,
    ) -> None:
        self.line = ScriptedLine(alarmed(CAST), picture(STEEL))
        self.clock = Still(NOW)
        self.register = register
        self.relay = Relay(self.line, SITES, self.clock)
        self.outbox = Outbox(register, self.line, self.clock, answer_within_s=answer_within_s)
        self.trends = ScriptedTrends()
        self.numbers = ScriptedNumbers()
        self.web = Web(
            register=register,
            relay=self.relay,
            outbox=self.outbox,
            trends=self.trends,
            numbers=self.numbers,
            sites=SITES,
            clock=self.clock,
            settings=settings,
        )
        self.app: Litestar = make_app(self.web, screens)

    def browser(self) -> Browser:
        return Browser(self.app)

    async def signed_in(self, login: str) -> Browser:
        browser = self.browser()
        answer = await browser.sign_in(login, PASSWORD)
        assert answer.status == 200, answer
        return browser


@asynccontextmanager
async def on_stage(path: Path, **other: Any) -> AsyncIterator[Stage]:
    """Run the web process with a register at a path."""
    async with AsyncExitStack() as stack:
        stage = Stage(register_with(path), **other)
        stack.callback(stage.register.close)
        for running in (stage.relay.run(), stage.outbox.run()):
            stack.push_async_callback(_end, asyncio.create_task(running))
        while stage.relay.away_since is not None:  # noqa: ASYNC110  # the line is scripted
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        yield stage


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
