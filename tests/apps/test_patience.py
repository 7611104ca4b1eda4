"""Connections that dribble, over real sockets: ended, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn

from meltwatch.apps.core import Core
from meltwatch.apps.core_process import Beside, bound
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gathering import Gathering
from meltwatch.apps.patience import Patient
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.log import ConfigRecord
from meltwatch.present.intake import Intake
from meltwatch.transport.intake import KEY_HEADER, SIGNATURE_HEADER
from meltwatch.transport.signature import sign
from tests.present.intake_stage import KEYS, NOW, PLANT, Still, frame

HOST = "127.0.0.1"
WITHIN_S = 10.0


class Hasty(Patient):
    head_s = 0.2


class Stage:
    """An intake behind a real socket."""

    def __init__(self, home: EmbeddedHome) -> None:
        core = Core(home, PLANT.enterprise)
        config = ConfigRecord(received_at=NOW, plant=PLANT, risk_model=default_risk_model())
        core.take_own(config)
        self.gathering = Gathering({PLANT.enterprise: core}, Still())
        self.intake = Intake(self.gathering, KEYS, Still().wall_ms)
        self.intake.body_s = 0.2
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        config = uvicorn.Config(
            self.intake, lifespan="off", log_level="critical", access_log=False, http=Hasty
        )
        server = Beside(config)
        with bound(HOST, 0) as listening:
            self.port = listening.getsockname()[1]
            gathers = asyncio.create_task(self.gathering.run())
            serves = asyncio.create_task(server.serve([listening]))
            try:
                async with asyncio.timeout(WITHIN_S):
                    yield
            finally:
                server.should_exit = True
                await serves
                gathers.cancel()

    async def asked(self, *parts: bytes) -> bytes:
        """Send bytes and nothing more; return all that comes until the connection is closed."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
        try:
            return await reader.read()
        finally:
            writer.close()

    async def posted(self, seq: int) -> int:
        body = frame(seq)
        headers = {KEY_HEADER: "k1", SIGNATURE_HEADER: sign(KEYS["k1"], body)}
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{self.port}") as client:
            return (await client.post("/v1/frames", content=body, headers=headers)).status_code


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n"
HEAD = b"POST /v1/frames HTTP/1.1\r\nHost: node\r\nMeltwatch-Key: k1\r\nContent-Length: 900\r\n\r\n"


def test_heads_and_bodies_that_never_end_are_ended_and_nobody_waits_for_them(
    tmp_path: Path,
) -> None:
    async def scene(stage: Stage) -> list[bytes]:
        async with stage.running():
            dribbles = [
                asyncio.create_task(stage.asked(b"GET /healthz HT")),
                asyncio.create_task(stage.asked()),
                asyncio.create_task(stage.asked(HEALTH, b"GET /healthz HT")),
                asyncio.create_task(stage.asked(HEAD, b"{")),
            ]
            assert await stage.posted(1) == 200
            said = await asyncio.gather(*dribbles)
            assert stage.intake.room.held == 0
            assert await stage.posted(2) == 200
        return said

    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    try:
        head, silent, second, body = asyncio.run(scene(Stage(home)))
    finally:
        home.close()
    assert (head, silent) == (b"", b"")
    assert second.count(b"HTTP/1.1 200 OK") == 1
    assert body.startswith(b"HTTP/1.1 408 Request Timeout")
    assert b"frame.body_slow" in body
