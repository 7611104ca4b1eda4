"""The gateway: what its source tells is in the outbox and at the server, gaps as epochs."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

import meltwatch
from meltwatch.apps.gateway import Gateway, Settings
from meltwatch.apps.node import node_of
from meltwatch.apps.seal import LEDGER
from meltwatch.clock import Clock, SystemClock
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import record_of as stored_record
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import Interval, SamplesRecord
from meltwatch.model.sample import Row
from meltwatch.transport.frame import Frame, decode
from meltwatch.transport.lane import Pace, Report
from meltwatch.transport.line import Heard
from meltwatch.transport.link import Server
from meltwatch.transport.outbox import Outbox, Signer
from meltwatch.transport.outbox_drop import Bound
from meltwatch.transport.pending import Told
from tests.durability.plant import KEYS, START, key_id, write_node
from tests.durability.sender import HOST, CoreProcess, free_port

ROOT = Path(__file__).parents[2]
GATEWAY = SourceId("gw-1")
SIGNER = Signer(key_id(GATEWAY), KEYS[GATEWAY])
TEMP = PointCode("well-1/temp")
WITHIN_S = 20.0


class Batch(NamedTuple):
    rows: Sequence[Row]
    complete_from: int
    complete_to: int
    gap: bool = False
    lost: Sequence[Interval] = ()


def batch(second: int, *, gap: bool = False, rows: int = 3) -> Batch:
    """Return the batch of `(second, second + 1]`."""
    start = START + second * 1000
    told = [(TEMP, start + n + 1, 20.0 + n, 0) for n in range(rows)]
    return Batch(told, start, start + 1000, gap)


class Scripted:
    """A source that tells its batches and ends.

    `None` lets the gateway make a frame first; a question is waited for until it is true.
    """

    def __init__(self, *script: Batch | Late | Callable[[], bool] | None) -> None:
        self.script = script

    def __call__(self, _: Clock) -> Scripted:
        return self

    async def batches(self) -> AsyncGenerator[Told, None]:
        for told in self.script:
            if told is None:
                await asyncio.sleep(0.1)
            elif callable(told):
                while not told():  # noqa: ASYNC110  # the product tells nobody when all is sent
                    await asyncio.sleep(0.01)
            else:
                yield told


def settings(tmp_path: Path, port: int) -> Settings:
    return Settings(
        gateway=GATEWAY,
        outbox=tmp_path / "outbox.sqlite",
        server=Server(
            url=f"http://{HOST}:{port}", signer=SIGNER, pace=Pace(first_ms=10, most_ms=50)
        ),
        frame_s=0.05,
        first_answer_s=0.3,
    )


def gateway_of(tmp_path: Path, port: int, reports: list[Report] | None = None) -> Gateway:
    report = reports.append if reports is not None else None
    return Gateway(settings(tmp_path, port), SystemClock(), random.Random(7), report)


def held_in(path: Path) -> list[Frame]:
    """Return the frames that an outbox holds, oldest first."""
    with Outbox(path, GATEWAY, SIGNER) as outbox:
        return [
            decode(outbox.unsent(one.epoch, seq - 1).body)
            for one in reversed(outbox.epochs())
            for seq in range(one.first, one.last + 1)
        ]


def has_sent_all(gateway: Gateway) -> bool:
    """Return whether nothing waits for a frame, for the outbox, or for an acknowledgement."""
    waits = not gateway._pending.is_empty or gateway._storing.locked()
    return not waits and all(one.first > one.last for one in gateway.outbox.epochs())


def run(gateway: Gateway, source: Scripted) -> None:
    async def within() -> None:
        async with asyncio.timeout(WITHIN_S):
            await gateway.run(source, asyncio.Event())

    asyncio.run(within())


def test_a_source_reaches_the_ledger_and_a_gap_is_a_new_epoch(tmp_path: Path) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"
    batches = [batch(0, gap=True), batch(1), batch(2), batch(7, gap=True), batch(8)]
    with CoreProcess(node, data) as core:
        gateway = gateway_of(tmp_path, core.port)
        script = (*batches[:2], None, *batches[2:], lambda: has_sent_all(gateway))
        run(gateway, Scripted(*script))
        assert core.stop() == 0
    with closing(EmbeddedHome(data / LEDGER)) as home:
        log = [stored_record(one.data) for one in home.stream.read("durable", 0, 100)]
    assert list(node_of(node).plants) == ["durable"]
    frames = [one for one in log if isinstance(one, SamplesRecord)]
    assert held_in(tmp_path / "outbox.sqlite") == [], "all of it was acknowledged"
    spans: dict[EpochId, list[int]] = {}
    for one in frames:
        span = spans.setdefault(one.epoch, [one.complete_from, one.complete_from])
        assert one.complete_from == span[1], "a frame continues the one before it"
        span[1] = one.complete_to
    first, second = sorted(spans)
    assert spans[first] == [START, START + 3000]
    assert spans[second] == [START + 7000, START + 9000]
    rows = [row for one in frames for row in one.samples.rows()]
    wanted = [row for one in batches for row in one.rows]
    assert sorted(rows) == sorted(wanted)


def test_it_ends_only_when_what_was_acknowledged_is_forgotten(tmp_path: Path) -> None:
    """A disk that takes its time: the last frame's acknowledgement is not lost with the end."""
    node, data = write_node(tmp_path), tmp_path / "data"
    with CoreProcess(node, data) as core:
        gateway = gateway_of(tmp_path, core.port)
        forget, slowly = gateway.outbox.forget, threading.Event()

        def forget_slowly(epoch: EpochId, through: int) -> None:
            slowly.wait(0.3)
            forget(epoch, through)

        gateway.outbox.forget = forget_slowly  # type: ignore[method-assign]  # only slower
        run(gateway, Scripted(batch(0), None, batch(1)))
    assert held_in(tmp_path / "outbox.sqlite") == []


def test_without_a_server_it_is_all_in_the_outbox(tmp_path: Path) -> None:
    reports: list[Report] = []
    source = Scripted(batch(0), None, batch(1, rows=45_000), None, batch(2, rows=0))
    run(gateway_of(tmp_path, free_port(), reports), source)
    frames = held_in(tmp_path / "outbox.sqlite")
    assert sum(one.count for one in frames) == 45_003
    assert max(one.count for one in frames) == 20_000
    assert [one.seq for one in frames] == list(range(1, len(frames) + 1))
    assert frames[-1].complete_to == START + 3000
    assert [one.key for one in reports] == ["session.unavailable"]


class Late(NamedTuple):
    """A batch whose rows' `at` stands in for the instrument's own time."""

    rows: Sequence[Row]
    complete_from: int
    complete_to: int
    originals: dict[int, int]
    gap: bool = False
    lost: Sequence[Interval] = ()


def test_an_instruments_own_time_is_in_the_frame(tmp_path: Path) -> None:
    rows = [(TEMP, START + n, 20.0, 0) for n in (1, 2)]
    late = Late(rows, START, START + 1000, {1: START - 9})
    run(gateway_of(tmp_path, free_port()), Scripted(late))
    (frame,) = held_in(tmp_path / "outbox.sqlite")
    assert frame.columns is not None
    assert [frame.columns.cells(n)[5] for n in (0, 1)] == [None, START - 9]


def test_a_disk_that_fails_for_a_while_loses_nothing(tmp_path: Path) -> None:
    reports: list[Report] = []
    failed = asyncio.Event()

    def report(told: Report) -> None:
        reports.append(told)
        if told.key == "outbox.unavailable":
            failed.set()

    told = settings(tmp_path, free_port())
    gateway = Gateway(told, SystemClock(), random.Random(7), report)
    file = gateway.outbox._file

    class Failing(Scripted):
        async def batches(self) -> AsyncGenerator[Told, None]:
            yield batch(0)
            file.execute("PRAGMA max_page_count = 1")
            yield batch(1, rows=4_000)
            await failed.wait()
            yield batch(2)
            file.execute("PRAGMA max_page_count = 1000000")
            yield batch(5, gap=True)

    run(gateway, Failing())
    frames = held_in(tmp_path / "outbox.sqlite")
    assert sum(one.count for one in frames) == 4_009
    assert [frames[0].complete_from, frames[-2].complete_to] == [START, START + 3000]
    assert frames[-1].epoch > frames[0].epoch
    about = [one.key for one in reports if one.key.startswith("outbox.")]
    assert about == ["outbox.unavailable", "outbox.recovered"]


def test_a_clock_set_back_begins_the_source_anew(tmp_path: Path) -> None:
    reports: list[Report] = []
    gateway = gateway_of(tmp_path, free_port(), reports)
    begun = 0

    class Stamping(Scripted):
        async def batches(self) -> AsyncGenerator[Told, None]:
            nonlocal begun
            begun += 1
            yield batch(100 if begun == 1 else 0, gap=True)
            if begun == 1:
                mono, wall = gateway.clock.monotonic_ms(), gateway.clock.wall_ms()
                gateway._hear(Heard(mono, mono, wall - 3_600_000))
                yield batch(101)

    run(gateway, Stamping())
    assert begun == 2
    first, second = held_in(tmp_path / "outbox.sqlite")
    assert (first.complete_from, first.complete_to) == (START + 100_000, START + 102_000)
    assert (second.complete_from, second.complete_to) == (START, START + 1000)
    assert second.epoch > first.epoch
    assert "gateway.clock_stepped" in [one.key for one in reports]


def test_a_full_outbox_is_told_at_once_and_then_not_with_every_frame(tmp_path: Path) -> None:
    reports: list[Report] = []
    told = msgspec.structs.replace(settings(tmp_path, free_port()), bound=Bound(bytes=20_000))
    gateway = Gateway(told, SystemClock(), random.Random(7), reports.append)
    script = [one for n in range(20) for one in (batch(n, rows=60), None)]
    run(gateway, Scripted(*script))
    held = held_in(tmp_path / "outbox.sqlite")
    empty = sum(not one.count for one in held)
    about = [one.params["frames"] for one in reports if one.key == "outbox.dropped"]
    assert empty > 2
    assert about == [1, empty - 1]


CHILD = """\
import asyncio, random
from pathlib import Path
from meltwatch.apps.gateway import run
from meltwatch.clock import SystemClock
from tests.apps.test_gateway import batch, settings

class Endless:
    def __init__(self, clock):
        pass
    async def batches(self):
        for second in range(10**9):
            yield batch(second)
            print(second, flush=True)
            await asyncio.sleep(0.001)

run(settings(Path(sys.argv[1]), int(sys.argv[2])), Endless, SystemClock(), random.Random(7))
"""


def test_asked_to_end_it_stores_what_it_holds(tmp_path: Path) -> None:
    for one in (signal.SIGTERM, signal.SIGINT):
        paths = [str(ROOT), str(Path(meltwatch.__file__).parents[1])]
        code = f"import sys; sys.path[:0] = {paths}\n{CHILD}"
        (place := tmp_path / one.name).mkdir()
        command = [sys.executable, "-c", code, str(place), str(free_port())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            said = [child.stdout.readline() for _ in range(30)]
            child.send_signal(one)
            said += child.stdout.readlines()
            assert child.wait(WITHIN_S) == 0
        frames = held_in(place / "outbox.sqlite")
        assert frames[0].complete_from == START
        assert frames[-1].complete_to >= START + len(said) * 1000
        assert not list(place.glob("*-wal")), "the file was left open"
