"""`meltwatch gateway` as a process, killed in the middle: what its outbox held arrives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
import yaml

from meltwatch.apps.seal import LEDGER
from meltwatch.clock import SystemClock
from meltwatch.collect.opcua import Player
from meltwatch.collect.opcua.player import Second
from meltwatch.model.ids import EnterpriseId, PointCode, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.sample import Row
from meltwatch.transport.frame import decode
from meltwatch.transport.judge import row_told
from meltwatch.transport.outbox import Outbox, Signer
from tests.durability.plant import KEYS, START, key_id, write_node
from tests.durability.sender import CoreProcess, free_port
from tests.opcua_stories.stage import log_of, until

ENTERPRISE = EnterpriseId("durable")
GATEWAY = SourceId("gw-1")
POINTS = [PointCode(f"well-1/{name}") for name in ("phase", "temp", "flow", "level")]
SPEED = 60.0
WITHIN_S = 90.0
ENDS_WITHIN_S = 15.0
BEHIND_S = 2.0
"""How much of real time a kill may take: a frame (0.2 s), a publishing (0.1 s), a busy machine."""


class GatewayProcess:
    """`meltwatch gateway` as a child; started again it goes on from its outbox."""

    def __init__(self, directory: Path, url: str, player: Player, key: str = "") -> None:
        self.outbox = directory / "gw-1.outbox"
        self.log = directory / "gateway.log"
        self._config = directory / "gateway.yaml"
        told = {
            "gateway": GATEWAY,
            "server": url,
            "key": {"id": key or key_id(GATEWAY), "hmac_sm3": KEYS[GATEWAY].secret.decode()},
            "outbox": self.outbox.name,
            "frame_s": 0.2,
            "backoff_s": 0.1,
            "backoff_most_s": 0.5,
            "opcua": {
                "endpoint": player.endpoint,
                "mapping": {str(code): node for code, node in player.mapping.items()},
                "domain": "recorded",
                "clock_node": player.clock_node,
                "backoff_most_s": 1.0,
            },
        }
        self._config.write_text(yaml.safe_dump(told), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        command = [sys.executable, "-m", "meltwatch.apps.cli", "gateway"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config", str(self._config)], stdout=log, stderr=log
            )

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        return self.log.read_text("utf-8")


def seconds(begin: int, end: int) -> Iterator[Second]:
    """Yield the seconds `[begin, end)`: every point once in each, its value the second's number."""
    for second in range(begin, end):
        at = START + second * 1000
        yield at, [(code, at, float(second), 0) for code in POINTS]


def rows_to(end: int) -> list[Row]:
    return [row for _, rows in seconds(0, end) for row in rows]


def held_in(path: Path) -> list[Row]:
    """Return the rows that a dead gateway's outbox holds."""
    with Outbox(path, GATEWAY, Signer(key_id(GATEWAY), KEYS[GATEWAY])) as outbox:
        frames = [
            decode(outbox.unsent(one.epoch, seq - 1).body)
            for one in outbox.epochs()
            for seq in range(one.first, one.last + 1)
        ]
        told = [
            row_told(msgspec.structs.replace(one, points=outbox.layout(one.layout or "")), row)
            for one in frames
            for row in range(one.count)
        ]
    return [(PointCode(row[0]), row[1], row[2], 0) for row in told]


def test_what_was_read_before_a_kill_arrives(tmp_path: Path) -> None:
    """The core ends, the gateway reads on into its outbox and is killed; both come back."""
    node, data = write_node(tmp_path), tmp_path / "data"
    held: list[Row] = []
    said: list[str] = []

    async def play() -> None:
        async with Player(POINTS, SystemClock()) as player:
            with CoreProcess(node, data) as core, GatewayProcess(tmp_path, core.url, player) as one:
                await until(player.watched.is_set)
                await player.play(seconds(0, 180), SPEED)
                assert await asyncio.to_thread(core.stop) == 0, core.said()
                await player.play(seconds(180, 480), SPEED)
                await asyncio.to_thread(one.kill)
                held.extend(await asyncio.to_thread(held_in, one.outbox))
                await player.play(seconds(480, 540), SPEED)  # nobody reads
                player.watched.clear()
                one.start()
                await until(player.watched.is_set)
                await player.play(seconds(540, 660), SPEED)
                await asyncio.to_thread(core.start_and_wait)
                await until(lambda: one.said().count("The line is well again") >= 1)
                await player.play(seconds(660, 780), SPEED)
                one.process.send_signal(signal.SIGTERM)
                code = await asyncio.to_thread(one.process.wait, ENDS_WITHIN_S)
                said.append(one.said())
                assert code == 0, one.said()
                assert await asyncio.to_thread(core.stop) == 0, core.said()
                assert await asyncio.to_thread(held_in, one.outbox) == []

    asyncio.run(asyncio.wait_for(play(), WITHIN_S))

    frames = log_of(data / LEDGER, ENTERPRISE)
    assert_nothing_is_lost(frames, held)
    assert_it_was_told(said[0].splitlines())


def assert_nothing_is_lost(frames: list[SamplesRecord], held: list[Row]) -> None:
    """What was played is stored, but for the time from the last put before the kill to the start.

    Only the second life can have more than one epoch: in the first the core did not come back.
    """
    stored = {row for one in frames for row in one.samples.rows()}
    first = min(one.epoch for one in frames)
    second_life = [one for one in frames if one.epoch != first]
    assert set(held) <= stored, "what the outbox held has not arrived"
    reached = max(at for _, at, _, _ in held)
    assert reached >= START + (480 - BEHIND_S * SPEED) * 1000
    again = min(one.complete_from for one in second_life)
    assert reached <= again <= START + 540_000
    end = max(one.complete_to for one in second_life)
    assert end >= START + (780 - BEHIND_S * SPEED) * 1000
    assert stored == {row for row in rows_to(780) if row[1] <= reached or again < row[1] <= end}


def assert_it_was_told(lines: list[str]) -> None:
    """Both lives tell that they run and that the server is away, the second that it is back."""
    assert lines[0] == lines[2]
    assert lines[0].startswith("meltwatch: gateway gw-1: 4 points of opc.tcp://127.0.0.1:")
    about = [line.rpartition(" / ")[2] for line in lines[1:]]
    assert about[0].startswith("The server does not answer as such (")
    assert about[2].startswith("The server does not answer as such (")
    assert about[3:] == ["The line is well again", "meltwatch: gateway gw-1: ended"]


def test_a_server_not_reached_and_a_key_refused_are_told_and_tried_again(tmp_path: Path) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"

    async def play() -> None:
        player = Player(POINTS, SystemClock(), port=free_port())
        with (
            CoreProcess(node, data) as core,
            GatewayProcess(tmp_path, core.url, player, key="unknown") as one,
        ):
            await until(lambda: "The OPC UA server is not reached" in one.said())
            await until(lambda: "frame.key_unknown" in one.said())
            async with player:
                await until(player.watched.is_set)
                await player.play(seconds(0, 60), SPEED)
                await until(lambda: "The OPC UA server is reached again" in one.said())
                one.process.send_signal(signal.SIGINT)
                code = await asyncio.to_thread(one.process.wait, ENDS_WITHIN_S)
            assert code == 0, one.said()
            assert "Traceback" not in one.said()
            lines = one.said().splitlines()
            assert len(lines) == 5, one.said()
            rows = await asyncio.to_thread(held_in, one.outbox)
            assert rows, "what was read waits for the key to be mended"
            assert set(rows) == set(rows_to(len(rows) // len(POINTS)))

    asyncio.run(asyncio.wait_for(play(), WITHIN_S))
