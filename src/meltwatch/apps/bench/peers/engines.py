"""The three engines, each with its way in, its rule and its sink; each ends with what it used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import httpx

from meltwatch.apps.bench.load import Lane, Ready
from meltwatch.apps.bench.measure import cpu_s, rss_bytes
from meltwatch.apps.bench.peers.programs import program
from meltwatch.apps.bench.peers.remote_write import METRIC, PeerLane
from meltwatch.apps.bench.peers.sink import Sink
from meltwatch.apps.bench.plant import HIGH, Works, write_node
from meltwatch.apps.bench.screen import Screen, open_account
from meltwatch.apps.bench.sending import Sending, Speaker
from meltwatch.apps.bench.server import Process, Server, wait_for
from meltwatch.apps.bench.verdict import BenchFailed
from meltwatch.apps.demo.stage import free_port
from meltwatch.clock import SystemClock

RULE = """\
groups:
  - name: bench
    interval: 1s
    rules:
      - alert: High
        expr: {metric} >= {limit}
        for: {hold}s
"""
PROMETHEUS = """\
global: {{evaluation_interval: 1s}}
rule_files: [rules.yaml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class SomeLane(Speaker, Protocol):
    """One gateway's requests, made one after the other."""

    def make(self) -> Ready: ...  # noqa: D102  # the next one
    def complete_to(self, frames: int) -> int: ...  # noqa: D102  # ms UTC


class Engine(Protocol):
    """An alarm engine that runs."""

    name: str

    def start(self) -> None:
        """Start it and wait until it answers."""
        ...

    def lanes(self, begins: Sequence[int]) -> Sequence[SomeLane]:
        """Return a lane for each gateway, by the instant at which it begins."""
        ...

    def sending(self) -> Sending:
        """Return what sends to it and waits for it while it is away."""
        ...

    def kill(self) -> None:
        """Kill the process that keeps the delays, by SIGKILL."""
        ...

    def come_back(self) -> None:
        """Start it again, if nobody does so by itself."""
        ...

    def arrived(self) -> dict[str, list[int]]:
        """Return when alarms of each point came to the sink, wall clock in ms."""
        ...

    def used(self) -> tuple[float, float]:
        """Return the CPU seconds and the GB of memory of its processes."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Ours:
    """`meltwatch serve`; the sink is its live stream, since its webhooks are not built yet."""

    name = "meltwatch"

    def __init__(self, works: Works, directory: Path) -> None:
        """Prepare it in a directory."""
        self.works = works
        self.server = Server(write_node(works, directory), directory)
        open_account(self.server, works.enterprise(0))
        self._directory = directory
        self.screen: Screen | None = None

    def start(self) -> None:
        """Start it, and somebody who looks on."""
        self.server.start()
        self.server.wait_ready()
        self.screen = Screen(self.server, self.works.enterprise(0), self._directory)
        self.screen.start()
        self.screen.wait_ready()

    def lanes(self, begins: Sequence[int]) -> Sequence[SomeLane]:
        """Return lanes of frames."""
        return [
            Lane(self.works, gateway, begin, self.server.host)
            for gateway, begin in enumerate(begins)
        ]

    def sending(self) -> Sending:
        """Return what sends frames."""
        return Sending(self.server.intake)

    def kill(self) -> None:
        """Kill the core; `serve` starts it again, as it does at a plant."""
        self.server.kill_child("core")

    def come_back(self) -> None:
        """Do nothing: it comes back by itself."""

    def arrived(self) -> dict[str, list[int]]:
        """Return when occurrences first came to the screen."""
        clock = SystemClock()
        offset = clock.wall_ms() - clock.monotonic_ns() // 1_000_000
        found: dict[str, list[int]] = {}
        assert self.screen is not None, "not started"
        for (condition, _), at in self.screen.seen().items():
            found.setdefault(condition.removesuffix(".H"), []).append(at // 1_000_000 + offset)
        return found

    def used(self) -> tuple[float, float]:
        """Return what core, web and sealer used."""
        return sum(self.server.cpu_s().values()), sum(self.server.rss_gb().values())

    def stop(self) -> None:
        """End it."""
        if self.screen is not None:
            self.screen.stop()
        self.server.stop()


class _Peer:
    """What Prometheus and VictoriaMetrics have in common: remote write in, webhook out."""

    path = "/api/v1/write"

    def __init__(self, works: Works, directory: Path, packages: Path) -> None:
        self.works, self.directory, self.packages = works, directory, packages
        self.sink = Sink()
        self.port = free_port()
        told = {"metric": METRIC, "limit": HIGH, "hold": works.on_delay_ms // 1000}
        (directory / "rules.yaml").write_text(RULE.format(**told), encoding="utf-8")
        self.processes = self._processes()

    def _processes(self) -> list[Process]:
        raise NotImplementedError

    def _program(self, name: str, *argv: str) -> Process:
        path = program(name, self.packages)
        log = self.directory / f"{name}.log"
        return Process(argv, log, program=(), executable=path)

    def start(self) -> None:
        for process in self.processes:
            process.start()
        for process, url in zip(self.processes, self._asked(), strict=True):
            wait_for(process, url)

    def _asked(self) -> list[str]:
        raise NotImplementedError

    def lanes(self, begins: Sequence[int]) -> Sequence[SomeLane]:
        host = f"127.0.0.1:{self.port}"
        return [
            PeerLane(self.works, gateway, begin, self.path, host)
            for gateway, begin in enumerate(begins)
        ]

    def sending(self) -> Sending:
        return Sending(self.port, _taken)

    def kill(self) -> None:
        """Kill the process that keeps the delays: the last one."""
        self.processes[-1].kill()

    def come_back(self) -> None:
        self.processes[-1].start()
        wait_for(self.processes[-1], self._asked()[-1])

    def arrived(self) -> dict[str, list[int]]:
        return self.sink.by_point()

    def used(self) -> tuple[float, float]:
        pids = [one.pid for one in self.processes]
        return sum(map(cpu_s, pids)), sum(map(rss_bytes, pids)) / 1e9

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.runs:
                process.stop()
        self.sink.close()


class Prometheus(_Peer):
    """Prometheus with its defaults, rules each second, samples by remote write."""

    name = "prometheus"

    def _processes(self) -> list[Process]:
        text = PROMETHEUS.format(port=self.sink.port)
        (self.directory / "prometheus.yaml").write_text(text, encoding="utf-8")
        return [
            self._program(
                "prometheus",
                f"--config.file={self.directory / 'prometheus.yaml'}",
                f"--storage.tsdb.path={self.directory / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-remote-write-receiver",
                "--log.level=warn",
            )
        ]

    def _asked(self) -> list[str]:
        return [f"http://127.0.0.1:{self.port}/-/ready"]


class Victoria(_Peer):
    """VictoriaMetrics with vmalert, whose state is kept in it; no artificial latency."""

    name = "victoria"

    def _processes(self) -> list[Process]:
        self.rules = free_port()
        base = f"http://127.0.0.1:{self.port}"
        return [
            self._program(
                "victoria-metrics",
                f"-storageDataPath={self.directory / 'vm'}",
                f"-httpListenAddr=127.0.0.1:{self.port}",
                "-search.latencyOffset=0s",
                "-loggerLevel=WARN",
            ),
            self._program(
                "vmalert",
                f"-rule={self.directory / 'rules.yaml'}",
                f"-datasource.url={base}",
                f"-remoteWrite.url={base}",
                f"-remoteRead.url={base}",
                f"-notifier.url=http://127.0.0.1:{self.sink.port}",
                f"-httpListenAddr=127.0.0.1:{self.rules}",
                "-evaluationInterval=1s",
                "-loggerLevel=WARN",
            ),
        ]

    def _asked(self) -> list[str]:
        return [f"http://127.0.0.1:{self.port}/health", f"http://127.0.0.1:{self.rules}/health"]


def _taken(lane: Speaker, _ready: Ready, status: int, body: bytes) -> bool:
    """Take a peer's answer to a remote write: 5xx and 429 mean the same again."""
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return False
    if status >= httpx.codes.BAD_REQUEST:
        raise BenchFailed(f"{status} {body[:500]!r}")
    lane.acknowledged += 1
    return True
