"""Two cores of one home with their feeds and their local socket, in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import uvicorn

from meltwatch.apps.core import Core
from meltwatch.apps.core_socket import CoreSocket, listening
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gathering import Gathering
from meltwatch.audit.chain import Head
from meltwatch.journey import CommandAnswer, Effect
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode
from meltwatch.model.ids import CommandId, EnterpriseId, EpochId, OccurrenceId, PointCode
from meltwatch.model.log import Acknowledge, AnyCommand, ConfigRecord, SamplesRecord
from meltwatch.model.sample import batch_of
from meltwatch.present.live.core_line import Obeyed, Order, OutOfTurn
from meltwatch.present.live.feed import Feed
from meltwatch.present.live.line import SocketLine
from tests.telling import GATEWAY, plant_of

ONE = plant_of({"t.H": {"kind": "high", "point": "t", "limit": 60}}, offline_s=9_000_000)
TWO = msgspec.structs.replace(ONE, enterprise=EnterpriseId("second-plant"))
NOW = 1_750_000_000_000
HEAD = Head("web", 7, b"\x07" * 32)


class Still:
    """A clock that stands."""

    def wall_ms(self) -> int:
        return NOW

    def monotonic_ms(self) -> int:
        return 1000


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Node:
    """Two cores of one home with their feeds and their socket."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(exist_ok=True)
        self.home = EmbeddedHome(data / "ledger", sync="off", busy_ms=5)
        self.feeds = {one.enterprise: Feed(one.enterprise, lambda: NOW) for one in (ONE, TWO)}
        self.cores = {name: Core(self.home, name, feed) for name, feed in self.feeds.items()}
        for plant in (ONE, TWO):
            core = self.cores[plant.enterprise]
            if core.journey.state.plant is None:
                risk_model = default_risk_model()
                core.take_own(ConfigRecord(received_at=0, plant=plant, risk_model=risk_model))
        self.gathering = Gathering(self.cores, Still())
        self.socket = CoreSocket(self.gathering, self.feeds)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        config = uvicorn.Config(self.socket, lifespan="off", log_level="critical", loop="none")
        server = _Quiet(config)
        feeds = [asyncio.create_task(one.run()) for one in self.feeds.values()]
        with listening(self.data) as bound:
            running = asyncio.create_task(server.serve([bound]))
            try:
                yield
            finally:
                self.socket.stop()
                server.should_exit = True
                await running
                for one in feeds:
                    one.cancel()

    def frame(self, enterprise: EnterpriseId, second: int, value: float) -> None:
        record = SamplesRecord(
            received_at=NOW + second * 1000,
            source=GATEWAY,
            epoch=EpochId(f"1-{enterprise}"),
            seq=second,
            complete_from=(second - 1) * 1000,
            complete_to=second * 1000,
            samples=batch_of([(PointCode("t"), second * 1000, value, 0)]),
        )
        self.cores[enterprise].take_samples([(record, f"{second}".encode())])

    def occurrence(self, enterprise: EnterpriseId) -> OccurrenceId:
        return next(iter(self.cores[enterprise].journey.state.board.occurrences))

    def answers(self) -> list[CommandAnswer]:
        found: list[CommandAnswer] = []
        for core in self.cores.values():
            effects: list[Effect] = [
                decode(one.data, Effect) for one in core.partition.effects(0, 1_000)
            ]
            found += [one for one in effects if isinstance(one, CommandAnswer)]
        return found


def order(seq: int, command: AnyCommand, enterprise: EnterpriseId = ONE.enterprise) -> Order:
    return Order(enterprise=enterprise, seq=seq, command=command, other=HEAD)


def acknowledge(which: OccurrenceId, why: str = "seen") -> Acknowledge:
    return Acknowledge(
        id=CommandId("c1"),
        who="li",
        role="shift",
        node="example-county",
        origin="10.0.0.7",
        why=why,
        occurrence=which,
    )


def obey(node: Node, *orders: Order) -> list[Obeyed | OutOfTurn]:
    async def scene() -> list[Obeyed | OutOfTurn]:
        async with node.serving(), SocketLine(node.data) as line, asyncio.timeout(10):
            return [await line.obey(one) for one in orders]

    return asyncio.run(scene())
