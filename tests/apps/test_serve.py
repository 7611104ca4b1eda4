"""`meltwatch serve`: core, web and sealer, each of which may die alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from meltwatch.clock import SystemClock
from meltwatch.model.ids import SourceId
from tests.durability.plant import KEYS, body_of, write_node
from tests.durability.sender import HOST, free_port, signed

CLOCK = SystemClock()
WITHIN_S = 60.0
GATEWAY: SourceId = next(iter(KEYS))


def until(holds: Callable[[], bool], what: str) -> None:
    end = CLOCK.monotonic_ms() + WITHIN_S * 1000
    while not holds():
        assert CLOCK.monotonic_ms() < end, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.05)


def pid_of(data: Path, command: str) -> int | None:
    """Return the process that runs a command on a data directory, if one does."""
    told = f"meltwatch.apps.child\0{command}\0".encode()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            given = line.read_bytes()
            if told in given and str(data).encode() in given:
                return int(line.parent.name)
    return None


class Server:
    """The command as a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.intake, self.port = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "meltwatch.apps.cli", "serve", "--sync", "off"),
                *("--node", str(write_node(directory)), "--data", str(self.data)),
                *("--intake", str(self.intake), "--port", str(self.port)),
            ],
            stdin=subprocess.DEVNULL,
        )
        self.seq = 0

    def answers(self, port: int) -> bool:
        try:
            return httpx.get(f"http://{HOST}:{port}/healthz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def has_core(self) -> bool:
        """Return whether web answers and hears the core."""
        try:
            told = httpx.get(f"http://{HOST}:{self.port}/healthz", trust_env=False).json()
        except httpx.TransportError:
            return False
        return told["core_away_since"] is None

    def send(self) -> int:
        """Send the next frame to the core; return the status."""
        self.seq += 1
        body = body_of(GATEWAY, self.seq)
        url = f"http://{HOST}:{self.intake}/v1/frames"
        headers = signed(GATEWAY, body)
        return httpx.post(url, content=body, headers=headers, trust_env=False).status_code

    def kill(self, command: str) -> None:
        """Kill a process; return when another one has taken its place."""
        killed = pid_of(self.data, command)
        assert killed is not None, command
        os.kill(killed, signal.SIGKILL)
        until(lambda: pid_of(self.data, command) not in {None, killed}, f"{command} is back")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    try:
        until(lambda: started.answers(started.intake) and started.has_core(), "up")
        yield started
    finally:
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(WITHIN_S) == 0
        assert pid_of(started.data, "core") is None, "nothing goes on"


def test_each_process_dies_and_comes_back_alone(server: Server) -> None:
    assert server.send() == 200
    others = {name: pid_of(server.data, name) for name in ("core", "seal")}
    server.kill("web")
    assert server.send() == 200, "frames are taken though nobody can look"
    assert {name: pid_of(server.data, name) for name in others} == others
    until(server.has_core, "web hears the core")

    server.kill("seal")
    assert server.send() == 200

    web = pid_of(server.data, "web")
    server.kill("core")
    until(lambda: server.answers(server.intake), "the core answers")
    assert server.send() == 200
    until(server.has_core, "web hears the new core")
    assert pid_of(server.data, "web") == web, "web went on, and said that the core was away"


def test_a_node_that_is_refused_starts_nothing(tmp_path: Path) -> None:
    node = write_node(tmp_path)
    node.write_text("node: x\n", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "meltwatch.apps.cli", "serve"),
            *("--node", str(node), "--data", str(tmp_path / "data")),
        ],
        check=False,
        capture_output=True,
        timeout=WITHIN_S,
    )
    assert done.returncode == 2
    assert str(node).encode() in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("taken", ["intake", "port"])
def test_a_taken_port_is_said_and_everything_ends(tmp_path: Path, taken: str) -> None:
    """One that cannot start for a reason that stays is not started again for ever."""
    ports = {"intake": free_port(), "port": free_port()}
    with socket.socket() as holder:
        holder.bind((HOST, ports[taken]))
        holder.listen()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "meltwatch.apps.cli", "serve", "--sync", "off"),
                *("--node", str(write_node(tmp_path)), "--data", str(tmp_path / "data")),
                *("--intake", str(ports["intake"]), "--port", str(ports["port"])),
            ],
            check=False,
            capture_output=True,
            timeout=WITHIN_S,
        )
    assert done.returncode == 2
    assert f"{HOST}:{ports[taken]}".encode() in done.stdout
    assert "占用".encode() in done.stdout
