"""The core process: one enterprise's ledger, journey and intake behind one HTTP port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gathering import Gathering
from meltwatch.apps.node import Node, NodeRefused
from meltwatch.apps.seal import LEDGER
from meltwatch.clock import Clock, SystemClock
from meltwatch.errors import Problem
from meltwatch.ledger.database import Sync
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.log import ConfigRecord
from meltwatch.model.reason import Params
from meltwatch.present.intake import Intake


def serve(node: Node, data: Path, *, host: str, port: int, sync: Sync = "full") -> None:
    """Serve until SIGINT or SIGTERM; then what was taken is written and the files are closed."""
    claim(data, node)
    asyncio.run(_serve(node, data, host=host, port=port, sync=sync))


def core_of(node: Node, home: EmbeddedHome, clock: Clock) -> Core:
    """Return the core of a node's enterprise, its plant configured as the node's file says."""
    core = Core(home, node.plant.enterprise)
    risk_model = default_risk_model()
    state = core.journey.state
    if state.plant != node.plant or state.risk_model != risk_model:
        core.take_own(
            ConfigRecord(received_at=clock.wall_ms(), plant=node.plant, risk_model=risk_model)
        )
    return core


class _Server(uvicorn.Server):
    """Ends at a signal and leaves the rest to us.

    uvicorn's own raises the signal again once it has ended, which ends the process before what
    was taken is written and the files are closed.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the first signal end serving, and a second SIGINT not wait for open requests."""
        ours = (signal.SIGINT, signal.SIGTERM)
        former = {one: signal.signal(one, self.handle_exit) for one in ours}
        try:
            yield
        finally:
            for one, handler in former.items():
                signal.signal(one, handler)


def claim(data: Path, node: Node) -> None:
    """Make the directory this enterprise's, once and for all.

    Numbers of frames are kept for the whole directory: under another name a frame would be taken
    for known and acknowledged without being held. Raises NodeRefused for another enterprise.
    """
    data.mkdir(parents=True, exist_ok=True)
    owner = data / "enterprise"
    if not owner.exists():
        owner.write_text(node.plant.enterprise, encoding="utf-8")
    held = owner.read_text(encoding="utf-8")
    if held != node.plant.enterprise:
        told: Params = {"held": held, "told": node.plant.enterprise}
        raise NodeRefused([Problem(str(data), "another_enterprise", told)])


async def _serve(node: Node, data: Path, *, host: str, port: int, sync: Sync) -> None:
    clock = SystemClock()
    home = EmbeddedHome(data / LEDGER, sync=sync)
    try:
        gathering = Gathering(core_of(node, home, clock), clock)
        intake = Intake(gathering, node.keys, clock.wall_ms)
        config = uvicorn.Config(intake, host=host, port=port, lifespan="off", log_level="warning")
        server = _Server(config)
        running = asyncio.create_task(gathering.run())
        running.add_done_callback(lambda _: setattr(server, "should_exit", True))
        await server.serve()
        gathering.stop()
        await running
    finally:
        home.close()
