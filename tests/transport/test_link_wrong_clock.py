"""A gateway whose clock is wrong by a day, against a real core: seen, mended, never told as it was.

The gateway is the real one, its clock a port that is set; the server's clock is the machine's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from meltwatch.apps.gateway import Gateway, Settings
from meltwatch.apps.node import node_of
from meltwatch.apps.seal import LEDGER
from meltwatch.clock import Clock, SystemClock
from meltwatch.journey import Effect, Notice
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode
from meltwatch.model.encoding import record_of as stored_record
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.model.log import SamplesRecord
from meltwatch.transport.epoch import EPOCH_AHEAD_MS, started_ms
from meltwatch.transport.lane import Pace, Report
from meltwatch.transport.link import Server
from meltwatch.transport.pending import Told
from tests.apps.test_gateway import Batch
from tests.durability.plant import NODE, TEMPLATE
from tests.durability.sender import HOST, CoreProcess
from tests.transport.test_link import GATEWAY, SIGNER, WITHIN_S, until

DAY_MS = 86_400_000
ENTERPRISE = EnterpriseId("durable")
TEMP = PointCode("well-1/temp")
WELL_MS = 3_000
"""How far a stamp may be off: the clock is stepped beyond 2 s, and the machine is slow."""


class Off(SystemClock):
    """The machine's clocks, the wall clock set wrong."""

    def __init__(self, off_ms: int = 0) -> None:
        self.off_ms = off_ms

    def wall_ms(self) -> int:
        return super().wall_ms() + self.off_ms


class Stamping:
    """A source that stamps one sample after the other by the clock it is given; keeps the truth."""

    def __init__(self, truth: list[int]) -> None:
        self.truth = truth

    def __call__(self, clock: Clock) -> Stamping:
        self.clock = clock
        return self

    async def batches(self) -> AsyncGenerator[Told, None]:
        last, gap = self.clock.wall_ms() - 1, True
        while True:
            at = max(self.clock.wall_ms(), last + 1)
            self.truth.append(SystemClock().wall_ms())
            yield Batch([(TEMP, at, float(len(self.truth) - 1), 0)], last, at, gap)
            last, gap = at, False
            await asyncio.sleep(0.02)


class Bench:
    """A node whose gateways are live, its core, and a gateway that is started again and again."""

    def __init__(self, tmp_path: Path) -> None:
        self.node = tmp_path / "node.yaml"
        self.node.write_text(NODE.replace("clock: recorded", "clock: live"), "utf-8")
        away = "  away: {kind: offline, level: 3}\n"
        (tmp_path / "template.yaml").write_text(TEMPLATE + away, "utf-8")
        self.data, self.outbox = tmp_path / "data", tmp_path / "outbox.sqlite"
        self.core = CoreProcess(self.node, self.data, sync="off")
        self.truth: list[int] = []
        self.reports: list[Report] = []
        self.gateway: Gateway | None = None

    @asynccontextmanager
    async def running(self, clock: Off, life: str = "one") -> AsyncIterator[Gateway]:
        server = Server(
            url=f"http://{HOST}:{self.core.port}",
            signer=SIGNER,
            pace=Pace(first_ms=20, most_ms=100),
        )
        settings = Settings(
            gateway=GATEWAY, outbox=self.outbox, server=server, frame_s=0.05, first_answer_s=0.1
        )
        chance = random.Random(len(self.truth))
        gateway = Gateway(settings, clock, chance, self.reports.append, life)
        stop = asyncio.Event()
        running = asyncio.create_task(gateway.run(Stamping(self.truth), stop))
        try:
            yield gateway
        finally:
            stop.set()
            async with asyncio.timeout(WITHIN_S):
                await running

    async def more(self, samples: int = 10) -> None:
        wanted = len(self.truth) + samples
        await until(lambda: len(self.truth) >= wanted)

    async def drained(self, gateway: Gateway) -> None:
        """Wait until all but the live epoch has gone, and something of the live one."""
        await self.more(5)
        await until(lambda: len(gateway.outbox.epochs()) == 1)
        await until(lambda: gateway.outbox.epochs()[0].first > 1)

    def said(self) -> list[str]:
        return [one.key for one in self.reports]


def frames_and_notices(bench: Bench) -> tuple[list[SamplesRecord], list[Notice]]:
    (enterprise,) = node_of(bench.node).plants
    with closing(EmbeddedHome(bench.data / LEDGER)) as home:
        log = [stored_record(one.data) for one in home.stream.read(enterprise, 0, 100_000)]
        partition = home.partition(enterprise)
        effects = [decode(one.data, Effect) for one in partition.effects(0, 100_000)]
    frames = [one for one in log if isinstance(one, SamplesRecord)]
    return frames, [one for one in effects if isinstance(one, Notice)]


def assert_true(bench: Bench) -> None:
    """Every sample is there once, at the instant when it was made; what is live is live."""
    frames, notices = frames_and_notices(bench)
    rows = [row for one in frames for row in one.samples.rows()]
    told = {int(value): at for _, at, value, _ in rows}
    assert len(told) == len(rows)
    assert sorted(told) == list(range(len(bench.truth)))
    worst = max(abs(at - bench.truth[n]) for n, at in told.items())
    assert worst < WELL_MS
    assert all(started_ms(one.epoch) < one.received_at + EPOCH_AHEAD_MS for one in frames)
    assert not frames[-1].backfill
    assert frames[-1].epoch == max(one.epoch for one in frames)
    wrong = [one for one in notices if one.happening.key == "gateway_clock_wrong"]
    assert {one.happening.subject for one in wrong} == {GATEWAY}


@pytest.mark.parametrize("off_ms", [DAY_MS, -DAY_MS])
def test_a_day_off_while_the_server_is_there(tmp_path: Path, off_ms: int) -> None:
    async def told(bench: Bench) -> None:
        async with bench.running(Off(off_ms)) as gateway:
            await bench.drained(gateway)

    bench = Bench(tmp_path)
    with bench.core:
        asyncio.run(told(bench))
        assert bench.core.stop() == 0
    assert_true(bench)
    assert "gateway.clock_stepped" in bench.said()


def test_a_day_off_this_way_and_that_across_restarts_of_both(tmp_path: Path) -> None:
    """Two starts without a server, a jump while it runs, a core that starts again, a good end."""

    async def told(bench: Bench) -> None:
        async with bench.running(Off(DAY_MS)):
            await bench.more()
        ahead = Off(-DAY_MS)
        async with bench.running(ahead) as gateway:
            await bench.more()
            await asyncio.to_thread(bench.core.start_and_wait)
            await bench.drained(gateway)
            ahead.off_ms = 2 * DAY_MS
            await bench.more()
            await asyncio.to_thread(bench.core.kill)
            await bench.more()
            await asyncio.to_thread(bench.core.start_and_wait)
            await bench.drained(gateway)
        async with bench.running(Off()) as gateway:
            await bench.drained(gateway)

    bench = Bench(tmp_path)
    try:
        asyncio.run(told(bench))
        assert bench.core.stop() == 0
    finally:
        if bench.core.process.poll() is None:
            bench.core.kill()
    assert_true(bench)
    assert bench.said().count("gateway.frames_moved") >= 2


def test_a_day_ahead_from_before_the_machine_was_started_is_kept_and_told(tmp_path: Path) -> None:
    async def told(bench: Bench) -> int:
        async with bench.running(Off(DAY_MS), life="one"):
            await bench.more()
        kept = len(bench.truth)
        with bench.core:
            async with bench.running(Off(), life="two") as gateway:
                await bench.drained(gateway)
            assert bench.core.stop() == 0
        return kept

    bench = Bench(tmp_path)
    kept = asyncio.run(told(bench))
    frames, _ = frames_and_notices(bench)
    values = sorted(int(row[2]) for one in frames for row in one.samples.rows())
    assert values == list(range(kept, len(bench.truth)))
    assert "gateway.frames_aside" in bench.said()


def test_a_core_that_was_set_up_anew_does_not_know_an_epoch_a_day_ahead(tmp_path: Path) -> None:
    """The newest epoch lay ahead and was taken; then the server's disk is lost."""

    async def told(bench: Bench) -> None:
        async with bench.running(Off()) as gateway:
            await bench.drained(gateway)

    bench = Bench(tmp_path)
    poison = f"{SystemClock().wall_ms() + DAY_MS:012x}-{'0' * 16}"
    with closing(EmbeddedHome(bench.data / LEDGER)) as home:
        home.stream.open_epoch(GATEWAY, poison)
    with bench.core:
        asyncio.run(told(bench))
        assert bench.core.stop() == 0
    first, _ = frames_and_notices(bench)
    assert min(one.epoch for one in first) > poison
    assert not first[-1].backfill
    sent = len(bench.truth)
    bench.data = tmp_path / "another"
    bench.core = CoreProcess(bench.node, bench.data, sync="off")
    with bench.core:
        asyncio.run(told(bench))
        assert bench.core.stop() == 0
    frames, _ = frames_and_notices(bench)
    values = sorted(int(row[2]) for one in frames for row in one.samples.rows())
    assert values[-1] == len(bench.truth) - 1
    assert set(range(sent, len(bench.truth))) <= set(values)
    assert all(started_ms(one.epoch) < one.received_at + EPOCH_AHEAD_MS for one in frames)
    assert not frames[-1].backfill
