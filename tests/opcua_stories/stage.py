"""A core behind HTTP as `apps/core_process.py` makes one, in the test's own loop, on its clock.

The only module here that knows how a core, its gathering and its intake are put together.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gateway import Gateway, Settings
from meltwatch.apps.gathering import Gathering
from meltwatch.clock import Clock
from meltwatch.collect.opcua import OpcUa, OpcUaSource
from meltwatch.collect.opcua.port import Report as SourceReport
from meltwatch.journey import Effect
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode, record_of
from meltwatch.model.ids import EnterpriseId, OccurrenceId, SourceId
from meltwatch.model.log import ConfigRecord, SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.present.intake import Intake
from meltwatch.transport.lane import Pace, Report
from meltwatch.transport.line import Waits
from meltwatch.transport.link import Server
from meltwatch.transport.outbox import Signer
from meltwatch.transport.signature import SharedSecret

HOST = "127.0.0.1"
KEY_ID = "k"
UP_WITHIN_S = 20.0


def key_of(gateway: SourceId) -> SharedSecret:
    """Return a gateway's key."""
    return SharedSecret(gateway=gateway, secret=b"only for trials and tests")


class _Quiet(uvicorn.Server):
    """Leaves signals alone: the loop is the test's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    directory: Path, plant: Plant, gateway: SourceId, clock: Clock
) -> AsyncIterator[int]:
    """Serve a plant from a directory; give the port. What was taken is written at the end."""
    home = EmbeddedHome(directory, sync="off")
    try:
        core = Core(home, plant.enterprise)
        config = ConfigRecord(
            received_at=clock.wall_ms(), plant=plant, risk_model=default_risk_model()
        )
        core.take_own(config)
        gathering = Gathering({plant.enterprise: core}, clock)
        intake = Intake(gathering, {KEY_ID: key_of(gateway)}, clock.wall_ms)
        told = uvicorn.Config(intake, lifespan="off", log_level="critical", loop="none")
        server = _Quiet(told)
        # asyncio sends small answers at once only on a socket that names its protocol
        with socket.socket(proto=socket.IPPROTO_TCP) as listening:
            listening.bind((HOST, 0))
            port = int(listening.getsockname()[1])
            running = asyncio.create_task(gathering.run())
            serving = asyncio.create_task(server.serve([listening]))
            try:
                await until(lambda: server.started or serving.done())
                yield port
            finally:
                server.should_exit = True
                await serving
                gathering.stop()
                await running
    finally:
        home.close()


def gateway_on(
    outbox: Path, port: int, gateway: SourceId, clock: Clock, report: Callable[[Report], None]
) -> Gateway:
    """Return a gateway with short waits: its sleeps are real, its clock may be faster."""
    settings = Settings(
        gateway=gateway,
        outbox=outbox,
        server=Server(
            url=f"http://{HOST}:{port}",
            signer=Signer(KEY_ID, key_of(gateway)),
            waits=Waits(connect_s=2.0, answer_s=10.0, farewell_s=2.0),
            pace=Pace(first_ms=20, most_ms=100),
        ),
        frame_s=0.08,
        first_answer_s=2.0,
    )
    return Gateway(settings, clock, random.Random(7), report)


@asynccontextmanager
async def running(
    gateway: Gateway, asked: OpcUa, tell: Callable[[SourceReport], None]
) -> AsyncIterator[None]:
    """Run a gateway with a real source beside the block; what fails in it is the test's."""
    stop = asyncio.Event()

    def source(clock: Clock) -> OpcUaSource:
        return OpcUaSource(asked, clock, random.Random(7), tell)

    task = asyncio.create_task(gateway.run(source, stop))
    try:
        yield
    finally:
        stop.set()
        await task


def has_sent_all(gateway: Gateway, through: int) -> bool:
    """Tell whether all up to `through`, ms UTC, was told by the source and acknowledged."""
    pending = gateway._pending
    waits = pending._to < through or not pending.is_empty or gateway._storing.locked()
    return not waits and all(one.first > one.last for one in gateway.outbox.epochs())


async def until(true: Callable[[], object], within_s: float = UP_WITHIN_S) -> None:
    """Wait until something holds; the product tells nobody."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110  # as it says
            await asyncio.sleep(0.01)


def log_of(directory: Path, enterprise: EnterpriseId) -> list[SamplesRecord]:
    """Return the frames of a ledger that nobody holds, in the order in which they came."""
    home = EmbeddedHome(directory, sync="off")
    try:
        stored = home.stream.read(enterprise, 0, 1_000_000)
        records = [record_of(one.data) for one in stored]
    finally:
        home.close()
    return [one for one in records if isinstance(one, SamplesRecord)]


def occurrences_of(directory: Path, enterprise: EnterpriseId) -> list[Occurrence]:
    """Return a ledger's occurrences as they ended, withdrawn ones left out."""
    home = EmbeddedHome(directory, sync="off")
    last: dict[OccurrenceId, Occurrence] = {}
    try:
        for row in home.partition(enterprise).effects(0, 1_000_000):
            effect: Effect = decode(row.data, Effect)
            if isinstance(effect, AlarmEvent):
                last[effect.occurrence.id] = effect.occurrence
    finally:
        home.close()
    return [one for one in last.values() if one.standing is not Standing.WITHDRAWN]
