"""One gathering for several enterprises: each frame in its own log, nobody waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gathering import Gathering
from meltwatch.apps.turns import Room
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import Unavailable
from meltwatch.ledger.port import Appended
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.log import ConfigRecord, SamplesRecord, TickRecord
from meltwatch.model.plant import Plant
from meltwatch.model.sample import batch_of
from meltwatch.transport.errors import Busy
from tests.telling import plant_of

HIGH: dict[str, Any] = {"kind": "high", "point": "t", "limit": 60}


def plant(name: str, gateway: str, offline_s: float = 9_000_000) -> Plant:
    made = plant_of({"t.H": HIGH}, source_of={"t": gateway}, offline_s=offline_s)
    sources = {SourceId(gateway): made.sources[SourceId(gateway)]}
    return msgspec.structs.replace(made, enterprise=EnterpriseId(name), sources=sources)


ONE, TWO = plant("one", "gw-1"), plant("two", "gw-2")


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1_000

    def wall_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now


class Node:
    """Two cores of one home and their gathering."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.home = EmbeddedHome(directory, sync="off", busy_ms=5)
        self.cores = {one.enterprise: Core(self.home, one.enterprise) for one in (ONE, TWO)}
        for one in (ONE, TWO):
            self.configure(one)
        self.gathering = Gathering(self.cores, self.clock)

    def configure(self, made: Plant) -> None:
        record = ConfigRecord(received_at=0, plant=made, risk_model=default_risk_model())
        self.cores[made.enterprise].take_own(record)

    async def take(self, *frames: tuple[str, int]) -> list[Any]:
        """Let frames come together; return the outcomes, or what was raised."""
        running = asyncio.create_task(self.gathering.run())
        taking = [asyncio.create_task(self.gathering.take(*frame(*one))) for one in frames]
        async with asyncio.timeout(10):
            told = await asyncio.gather(*taking, return_exceptions=True)
        self.gathering.stop()
        self.clock.now += 10_000
        await running
        return list(told)

    def log(self, enterprise: str) -> list[tuple[str, int]]:
        records = [record_of(one.data) for one in self.home.stream.read(enterprise, 0, 1_000)]
        return [(one.source, one.seq) for one in records if isinstance(one, SamplesRecord)]


def frame(gateway: str, seq: int) -> tuple[SamplesRecord, bytes]:
    record = SamplesRecord(
        received_at=seq * 1000,
        source=SourceId(gateway),
        epoch=EpochId("1"),
        seq=seq,
        complete_from=(seq - 1) * 1000,
        complete_to=seq * 1000,
        samples=batch_of([(PointCode("t"), seq * 1000, 50.0, 0)]),
    )
    return record, f"{gateway}/{seq}".encode()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "ledger")
    yield node
    node.home.close()


def test_frames_that_come_together_go_each_into_its_own_log(node: Node) -> None:
    told = asyncio.run(node.take(("gw-1", 1), ("gw-2", 1), ("gw-1", 2), ("gw-2", 2)))
    assert all(isinstance(one, Appended) for one in told)
    assert node.log("one") == [("gw-1", 1), ("gw-1", 2)]
    assert node.log("two") == [("gw-2", 1), ("gw-2", 2)]
    for core in node.cores.values():
        assert core.committed == core.stream.end(core.enterprise)


def test_a_gateway_that_floods_is_refused_alone_and_loses_nothing(node: Node) -> None:
    node.gathering = Gathering(node.cores, node.clock, Room(frames=4, frames_of_one=2))
    flood = [("gw-1", seq) for seq in range(1, 6)]
    told = asyncio.run(node.take(*flood, ("gw-2", 1), ("gw-2", 2)))
    assert [type(one) for one in told] == [Appended] * 2 + [Busy] * 3 + [Appended] * 2
    node.gathering = Gathering(node.cores, node.clock, Room(bytes=1, bytes_of_one=1))
    (taken,) = asyncio.run(node.take(("gw-1", 3)))
    assert isinstance(taken, Busy), "more bytes than there is room for"
    node.gathering = Gathering(node.cores, node.clock)
    asyncio.run(node.take(*flood[2:]))
    assert node.log("one") == flood
    assert node.log("two") == [("gw-2", 1), ("gw-2", 2)]


def test_what_fails_at_one_enterprise_is_not_waited_for_by_another(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    core = node.cores[ONE.enterprise]
    commit = core.partition.commit
    failures = [Unavailable("state.sqlite", "disk full")] * 2

    def failing(*told: Any) -> bool:
        if failures:
            raise failures.pop()
        return commit(*told)

    monkeypatch.setattr(core.partition, "commit", failing)

    async def scene() -> list[Any]:
        told = await node.take(("gw-1", 1), ("gw-2", 1))
        async with asyncio.timeout(10):
            node.gathering = Gathering(node.cores, node.clock)
            running = asyncio.create_task(node.gathering.run())
            while core.committed < core.stream.end("one"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            node.gathering.stop()
            node.clock.now += 10_000
            await running
        return told

    first, second = asyncio.run(scene())
    assert isinstance(first, Unavailable)
    assert isinstance(second, Appended)
    assert node.log("one") == [("gw-1", 1)]
    assert caplog.messages.count("the store is back, frames are taken") <= 1


def test_each_enterprise_has_its_own_ticks(node: Node) -> None:
    """A gateway that is away is noticed though the other enterprise's sends all the time."""
    soon = plant("two", "gw-2", offline_s=30)
    node.configure(soon)

    async def scene() -> None:
        running = asyncio.create_task(node.gathering.run())
        for seq in range(1, 40):
            node.clock.now = seq * 1_000
            await node.gathering.take(*frame("gw-1", seq))
        node.gathering.stop()
        node.clock.now += 1_000
        await running

    asyncio.run(scene())
    records = [record_of(one.data) for one in node.home.stream.read("two", 0, 1_000)]
    told = [one.offline for one in records if isinstance(one, TickRecord) and one.offline]
    assert told == [("gw-2",)]


def test_a_gateway_is_found_where_the_configuration_in_force_has_it(node: Node) -> None:
    gateway = SourceId("gw-2")
    assert node.gathering.plant_of(gateway) == TWO
    assert node.gathering.plant_of(SourceId("nobody's")) is None
    node.configure(plant("two", "gw-3"))
    assert node.gathering.plant_of(gateway) is None
    found = node.gathering.plant_of(SourceId("gw-3"))
    assert found is not None
    assert found.enterprise == "two"
