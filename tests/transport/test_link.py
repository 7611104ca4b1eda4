"""The link against a real server, over a line that breaks: all that was put is there, once.

The proxy stands between them and really cuts connections, also in the middle of a body.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec

from meltwatch.apps.node import node_of
from meltwatch.apps.seal import LEDGER
from meltwatch.clock import SystemClock
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import record_of as stored_record
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.transport.lane import Pace, Report
from meltwatch.transport.line import Heard, Waits
from meltwatch.transport.link import Link, Server, Trust
from meltwatch.transport.outbox import Outbox, Signer
from tests.durability.plant import KEYS, START, key_id, write_node
from tests.durability.sender import HOST, CoreProcess
from tests.transport.test_link_proxy import Proxy

GATEWAY = SourceId("gw-1")
SIGNER = Signer(key_id(GATEWAY), KEYS[GATEWAY])
QUICK = Pace(first_ms=10, most_ms=80)
WITHIN_S = 30.0
OUTAGE_MS = 10_500


class SkippedClock(SystemClock):
    """The machine's clocks, which a test may set forward."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms
        self.wall_off_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms + self.wall_off_ms

    def monotonic_ms(self) -> int:
        return super().monotonic_ms() + self.ahead_ms


class Bench:
    """An outbox, its link, and what they said."""

    def __init__(
        self,
        path: Path,
        port: int,
        clock: SkippedClock | None = None,
        waits: Waits | None = None,
        pace: Pace = QUICK,
    ) -> None:
        self.clock = clock or SkippedClock()
        self.outbox = Outbox(path, GATEWAY, SIGNER)
        self.reports: list[Report] = []
        self.heard: list[Heard] = []
        self.put_bodies: dict[EpochId, list[tuple[int, int]]] = {}
        server = Server(
            url=f"http://{HOST}:{port}", signer=SIGNER, pace=pace, waits=waits or Waits()
        )
        self.link = Link(
            self.outbox,
            server,
            clock=self.clock,
            chance=random.Random(7),
            report=self.reports.append,
            heard=self.heard.append,
            trust=Trust(own=self.clock, life="one", recorded=True),
        )
        self._second = 0

    def put(self, frames: int, rows: int = 4) -> None:
        """Put frames of a second each, and tell the link."""
        for _ in range(frames):
            start = START + self._second * 1000
            self._second += 1
            told = [["well-1/temp", start + 1 + n, 50.5] for n in range(rows)]
            put = self.outbox.put(told, start, start + 1000, now=start)
            self.put_bodies.setdefault(put.epoch, []).append((start, start + 1000))
            self.link.stored(put.epoch, put.seq)

    @property
    def newest(self) -> EpochId:
        return self.outbox.epochs()[0].epoch

    @property
    def is_empty(self) -> bool:
        return all(one.first > one.last for one in self.outbox.epochs())

    def said(self) -> list[str]:
        return [one.key for one in self.reports]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = asyncio.create_task(self.link.run(stop))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(WITHIN_S):
                await running
            self.outbox.close()


async def until(holds: Callable[[], bool]) -> None:
    """Look again and again until it holds, but not for ever."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.01)


def frames_of(node: Path, data: Path) -> list[SamplesRecord]:
    """Return the frames in the ledger, in the order of their receipt."""
    (enterprise,) = node_of(node).plants
    found: list[SamplesRecord] = []
    with closing(EmbeddedHome(data / LEDGER)) as home:
        after = 0
        while page := home.stream.read(enterprise, after, 1000):
            told = [stored_record(one.data) for one in page]
            found += [one for one in told if isinstance(one, SamplesRecord)]
            after = page[-1].pos
    return found


def assert_all_there(bench: Bench, frames: list[SamplesRecord]) -> None:
    """Everything put is in the ledger, once and in order."""
    found: dict[EpochId, list[tuple[int, int]]] = {}
    for one in frames:
        found.setdefault(one.epoch, []).append((one.complete_from, one.complete_to))
        assert one.seq == len(found[one.epoch])
    assert found == bench.put_bodies


def test_a_line_that_breaks_and_a_server_that_is_killed_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    chance = random.Random(20240808)
    node, data = write_node(tmp_path), tmp_path / "data"

    async def told(core: CoreProcess) -> None:
        async with Proxy(core.port).running() as proxy:
            proxy.cuts = [chance.randint(0, 9_000) for _ in range(30)]
            waits = Waits(new_epoch_after_s=60)
            bench = Bench(tmp_path / "outbox.sqlite", proxy.port, waits=waits)
            await bench.link.open_epoch()
            async with bench.running():
                for _ in range(4):
                    bench.put(14, rows=60)
                    await until(lambda: len(proxy.cuts) % 8 == 0 or bench.is_empty)
                await asyncio.to_thread(core.kill)
                bench.put(10)
                await until(lambda: "session.unavailable" in bench.said())
                await asyncio.to_thread(core.start_and_wait)
                await until(lambda: bench.is_empty)
            assert proxy.cut >= 10, "the line did not break"
            assert core.stop() == 0
            assert len(bench.put_bodies) == 1, "all outages were short"
            assert_all_there(bench, frames_of(node, data))
            assert bench.said() == ["session.unavailable", "session.recovered"] * (
                len(bench.reports) // 2
            )

    with CoreProcess(node, data) as core:
        asyncio.run(told(core))


def test_after_a_long_outage_the_live_goes_first_in_an_epoch_of_its_own(tmp_path: Path) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"

    async def told(core: CoreProcess) -> None:
        async with Proxy(core.port).running() as proxy:
            bench = Bench(tmp_path / "outbox.sqlite", proxy.port)
            first = await bench.link.open_epoch()
            async with bench.running():
                bench.put(5)
                await until(lambda: bench.is_empty)
                proxy.down()
                bench.put(70)
                await until(lambda: "session.unavailable" in bench.said())
                bench.clock.ahead_ms += OUTAGE_MS
                proxy.up = True
                await until(lambda: bench.newest != first)
                bench.put(1)
                live = bench.newest
                await until(lambda: bench.is_empty)
            assert core.stop() == 0
        frames = frames_of(node, data)
        assert_all_there(bench, frames)
        assert list(bench.put_bodies) == [first, live]
        place = [one.epoch for one in frames].index(live)
        assert place < 40, "the live frame waited for the old ones"
        old = [one.backfill for one in frames if one.epoch == first]
        assert old[:5] == [False] * 5
        assert all(old[7:]), "what was put during the outage is back-fill"
        assert not frames[place].backfill
        assert bench.said() == ["session.unavailable", "session.recovered"]

    with CoreProcess(node, data) as core:
        asyncio.run(told(core))


def test_a_restart_sends_the_live_first_and_a_lost_disk_begins_behind_the_server(
    tmp_path: Path,
) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"

    async def restarted(core: CoreProcess) -> Bench:
        """Send two runs that never reached the server and a third, the live one.

        The live one's first asking fails, and it backs off: the others wait for it. The very
        first answer proves the clock and is not that one.
        """
        async with Proxy(core.port).running() as proxy:
            proxy.says = [_answer("503 Service Unavailable", b"{}")]
            clock, slow = SkippedClock(), Pace(first_ms=400)
            bench = Bench(tmp_path / "outbox.sqlite", proxy.port, clock, pace=slow)
            for _ in range(3):
                await bench.link.open_epoch()
                bench.put(6)
            async with bench.running():
                await until(lambda: bench.is_empty)
        assert bench.said() == ["session.unavailable", "session.recovered"]
        wall_ms = bench.clock.wall_ms()
        assert all(abs(one.server_time - wall_ms) < 60_000 for one in bench.heard)
        return bench

    async def lost(core: CoreProcess) -> Bench:
        """Send from an outbox that was made anew, by a clock that is an hour behind the former."""
        bench = Bench(tmp_path / "another.sqlite", core.port, SkippedClock(-3_600_000))
        first = await bench.link.open_epoch()
        async with bench.running():
            await until(lambda: bench.newest != first)
            bench.put(2)
            await until(lambda: bench.is_empty)
        return bench

    with CoreProcess(node, data) as core:
        one, two = asyncio.run(restarted(core)), asyncio.run(lost(core))
        assert core.stop() == 0
    frames = frames_of(node, data)
    assert_all_there(one, frames[:18])
    assert_all_there(two, frames[18:])
    oldest, older, live = one.put_bodies
    assert [one.backfill for one in frames[:18]] == [one.epoch != live for one in frames[:18]]
    order = [one.epoch for one in frames]
    assert order.index(live) <= 1
    assert order.index(older) < order.index(oldest), "the newest of the old ones first"
    assert min(two.put_bodies) > live
    assert not any(one.backfill for one in frames[18:])


def test_answers_that_are_none_of_ours_and_a_busy_server_are_outwaited(tmp_path: Path) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"
    busy = msgspec.json.encode(
        {"refused": "frame.busy", "retry": True, "problems": [], "server_time": 1, "after_ms": 50}
    )

    async def told(core: CoreProcess) -> None:
        async with Proxy(core.port).running() as proxy:
            proxy.says = [
                _answer("200 OK", b"<html>sign in</html>"),
                _answer("503 Service Unavailable", b"{}"),
                _answer("302 Found", b"", "Location: http://elsewhere.example/"),
                b"not HTTP at all\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
                b"",
                _answer("429 Too Many Requests", busy),
            ]
            waits = Waits(answer_s=0.4)
            bench = Bench(tmp_path / "outbox.sqlite", proxy.port, waits=waits)
            await bench.link.open_epoch()
            bench.put(3)
            async with bench.running():
                await until(lambda: bench.is_empty)
        assert core.stop() == 0
        assert_all_there(bench, frames_of(node, data))
        assert bench.said() == ["session.unavailable", "session.recovered"]

    with CoreProcess(node, data) as core:
        asyncio.run(told(core))


FAR_AHEAD = {
    "refused": "frame.complete_to_ahead",
    "retry": False,
    "problems": [],
    "server_time": START - 86_400_000,
}


def test_a_server_whose_clock_is_behind_does_not_make_good_frames_go(tmp_path: Path) -> None:
    """Its clock against ours: the frame waits, and passes once the server's has been mended."""
    node, data = write_node(tmp_path), tmp_path / "data"

    async def told(core: CoreProcess) -> None:
        async with Proxy(core.port).running() as proxy:
            bench = Bench(tmp_path / "outbox.sqlite", proxy.port)
            await bench.link.open_epoch()
            async with bench.running():
                bench.put(2)
                await until(lambda: bench.is_empty)
                said = msgspec.json.encode(FAR_AHEAD)
                proxy.says = [_answer("422 Unprocessable Content", said)] * 2
                proxy.break_all()
                bench.put(2)
                await until(lambda: not proxy.says and bench.is_empty)
        assert core.stop() == 0
        assert_all_there(bench, frames_of(node, data))
        assert len(bench.put_bodies) == 1
        assert "gateway.frames_aside" not in bench.said()

    with CoreProcess(node, data) as core:
        asyncio.run(told(core))


def test_frames_that_both_clocks_hold_to_be_far_ahead_are_set_aside(tmp_path: Path) -> None:
    """A day later they would pass, with instants that never were."""
    node, data = write_node(tmp_path), tmp_path / "data"

    async def told(core: CoreProcess) -> None:
        async with Proxy(core.port).running() as proxy:
            clock = SkippedClock()
            waits = Waits(new_epoch_after_s=0.5)
            bench = Bench(tmp_path / "outbox.sqlite", proxy.port, clock, waits)
            first = await bench.link.open_epoch()
            async with bench.running():
                bench.put(1)
                await until(lambda: bench.is_empty)
                said = msgspec.json.encode(FAR_AHEAD)
                proxy.says = [_answer("422 Unprocessable Content", said)]
                proxy.break_all()
                clock.wall_off_ms = START - 86_400_000 - clock.wall_ms()
                bench.put(2)
                await until(lambda: "gateway.frames_aside" in bench.said())
                clock.wall_off_ms = 0
                await until(lambda: bench.newest != first)
                bench.put(1)
                await until(lambda: bench.is_empty)
        assert core.stop() == 0
        frames = frames_of(node, data)
        assert [(one.complete_from - START) // 1000 for one in frames] == [0, 3]
        assert not frames[-1].backfill

    with CoreProcess(node, data) as core:
        asyncio.run(told(core))


def _answer(status: str, body: bytes, header: str = "Content-Type: text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
