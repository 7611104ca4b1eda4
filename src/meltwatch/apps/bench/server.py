"""The server under measurement: the processes that an operator starts, in a directory of its own.

They end when this process ends, however it ends (`apps/child.py`); nothing else is ever ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from meltwatch.apps.bench.measure import children_of, cpu_s, rss_bytes
from meltwatch.apps.bench.verdict import BenchFailed
from meltwatch.apps.demo.stage import free_port
from meltwatch.clock import SystemClock

HOST = "127.0.0.1"
UP_WITHIN_S = 900.0
ENDS_WITHIN_S = 900.0
ASK_EVERY_S = 0.05
PROGRAM = ("-m", "meltwatch.apps.child")


class Process:
    """One `meltwatch` command as a child, what it says kept in a file."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        program: Sequence[str] = PROGRAM,
        executable: str = sys.executable,
    ) -> None:
        """Prepare a command; `program`: what Python, or another executable, runs it with."""
        self.argv, self.log, self.program = tuple(argv), log, tuple(program)
        self.executable = executable
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process, running or not."""
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def runs(self) -> bool:
        """Return whether it lives."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it; it is not ready yet when this returns."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [self.executable, *self.program, *self.argv],
                stdin=subprocess.PIPE,  # closed when we end: then it ends too
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if self.runs:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL and wait for that."""
        self.signal(signal.SIGKILL)
        assert self._child is not None
        self._child.wait()

    def stop(self) -> int:
        """Ask it to end and wait; return its exit code. Raises BenchFailed if it does not."""
        assert self._child is not None
        self.signal(signal.SIGTERM)
        try:
            return self._child.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchFailed(f"{self.argv[0]} did not end: {self.said()[-2000:]}") from None

    def stop_by_itself(self) -> int:
        """Wait until it has ended of itself; return its exit code."""
        assert self._child is not None
        return self._child.wait(ENDS_WITHIN_S)

    def said(self) -> str:
        """Return what it printed, over all its lives."""
        return self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave nothing running: gently, since it has children of its own to end."""
        if self.runs:
            self.signal(signal.SIGCONT)
            self.stop()


class Server(Process):
    """`meltwatch serve` (or `core` alone) on free ports of loopback."""

    def __init__(self, node: Path, directory: Path, *, alone: bool = False) -> None:
        """Prepare it; `alone`: the core without web and sealer."""
        self.node, self.data, self.alone = node, directory / "data", alone
        self.intake, self.port = free_port(), free_port()
        given = ("--node", str(node), "--data", str(self.data))
        argv: tuple[str, ...] = ("core", *given, "--port", str(self.intake))
        if not alone:
            argv = ("serve", *given, "--port", str(self.port), "--intake", str(self.intake))
        super().__init__(argv, directory / "server.log")

    @property
    def host(self) -> str:
        """Where gateways send, host and port."""
        return f"{HOST}:{self.intake}"

    @property
    def address(self) -> str:
        """Where people go."""
        return f"http://{HOST}:{self.port}"

    @property
    def ledger(self) -> Path:
        """The directory of its ledger."""
        return self.data / "ledger"

    def history(self, enterprise: str) -> Path:
        """Return where an enterprise's segments are."""
        return self.data / "history" / enterprise

    def pids(self) -> dict[str, int]:
        """Return its processes by command: core, and seal and web unless it is alone."""
        return {"core": self.pid} if self.alone else children_of(self.pid)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each of its processes so far, seconds."""
        return {name: cpu_s(pid) for name, pid in self.pids().items()}

    def rss_gb(self) -> dict[str, float]:
        """Return the memory of each of its processes, GB."""
        return {name: rss_bytes(pid) / 1e9 for name, pid in self.pids().items()}

    def kill_child(self, name: str) -> None:
        """End one of its processes by SIGKILL: its supervisor is to start another one."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def wait_ready(self) -> float:
        """Wait until it answers; return how long that took, seconds. Raises BenchFailed."""
        clock, asked = SystemClock(), [f"http://{self.host}/healthz"]
        if not self.alone:
            asked.append(f"{self.address}/healthz")
        began = clock.monotonic_ms()
        for url in asked:
            wait_for(self, url)
        return (clock.monotonic_ms() - began) / 1000


def wait_for(process: Process, url: str) -> None:
    """Wait until a process answers at an address; raises BenchFailed if it ends or never does."""
    clock = SystemClock()
    began = clock.monotonic_ms()
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        while not _answers(client, url):
            if not process.runs or clock.monotonic_ms() - began > UP_WITHIN_S * 1000:
                raise BenchFailed(f"{url} does not answer: {process.said()[-2000:]}")
            threading.Event().wait(ASK_EVERY_S)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
