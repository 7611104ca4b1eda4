"""soak: minutes to days of it; memory that grows, samples that are lost or there twice.

Without kills the core is watched for memory that it does not give back. With kills everything that
can befall it does: kill -9 of gateways, core and sealer, pauses, a full disk, a wall clock that
jumps.
"""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import numpy as np

from meltwatch.apps.bench.measure import rss_bytes
from meltwatch.apps.bench.plant import UNIT_POINTS, Works, write_node
from meltwatch.apps.bench.server import Process, Server, wait_for
from meltwatch.apps.bench.soak.accounts import Account, account_of
from meltwatch.apps.bench.soak.instrument import QUIET, InstrumentFile
from meltwatch.apps.bench.soak.plight import Plight, SmallDisk
from meltwatch.apps.bench.verdict import BenchFailed, Checked, Outcome, Stage, Wish
from meltwatch.clock import SystemClock

MINUTES, RATE, GATEWAYS = 10.0, 2_000, 2
ROW_BYTES = 250
"""What a sample needs of the disk, generously: outbox, log and segment."""
SPARE_MB = 256
LOOK_EVERY_S = 1.0
DRAIN_S, DRAINED_WITHIN_S = 3.0, 240.0


def soak(stage: Stage, wish: Wish) -> Outcome:
    """Return the slope of the core's memory and how many samples were lost or doubled."""
    rate, kills = wish.rate or RATE, wish.kills or 0
    seconds = (wish.minutes or MINUTES) * 60 if wish.seconds is None else wish.seconds
    works = Works(
        points=max(rate // GATEWAYS // UNIT_POINTS, 1) * UNIT_POINTS * GATEWAYS,
        plants=1,
        gateways_a_plant=GATEWAYS,
        rows=100_000,
        alarms_a_cycle=1,
        clock="live",
    )
    disk = SmallDisk(stage, SPARE_MB + int(rate * seconds * ROW_BYTES / 1e6))
    try:
        return _Soak(stage, works, disk).run(seconds, kills)
    finally:
        disk.close()


class _Soak:
    """The processes of one soak."""

    def __init__(self, stage: Stage, works: Works, disk: SmallDisk) -> None:
        self.stage, self.works, self.disk = stage, works, disk
        self.clock = SystemClock()
        self.jumps = stage.directory / "jumps"
        node = write_node(works, stage.directory)
        self.server = Server(node, disk.place, alone=True)
        self.server.log = stage.directory / "core.log"
        self.server.program = ("-m", "meltwatch.apps.bench.soak.jumping", str(self.jumps))
        given = ("--node", str(node), "--data", str(self.server.data))
        self.sealer = Process(("seal", *given), stage.directory / "sealer.log")
        self.last_sealer = Process(("seal", *given, "--once"), stage.directory / "sealer.log")
        self.notes = [stage.directory / f"told-{one}" for one in range(works.gateways)]
        self.outboxes = [disk.place / f"outbox-{one}.sqlite" for one in range(works.gateways)]
        self.gateways = [self._gateway(one) for one in range(works.gateways)]

    def _gateway(self, number: int) -> Process:
        path = self.stage.directory / f"instrument-{number}.json"
        file = InstrumentFile(
            works=self.works,
            gateway=number,
            server=f"http://{self.server.host}",
            outbox=str(self.outboxes[number]),
            notes=str(self.notes[number]),
        )
        path.write_bytes(msgspec.json.encode(file))
        program = ("-m", "meltwatch.apps.bench.soak.instrument")
        log = self.stage.directory / f"gateway-{number}.log"
        return Process((str(path),), log, program=program)

    def run(self, seconds: float, kills: int) -> Outcome:
        """Run for so long, end in order, settle the accounts."""
        named: dict[str, Process] = {"core": self.server, "sealer": self.sealer}
        named |= {f"gateway-{number}": one for number, one in enumerate(self.gateways)}
        plight = Plight(self.stage, named, self.disk, self.jumps)
        with ExitStack() as opened:
            opened.enter_context(self.server)
            self.server.wait_ready()
            for process in (self.sealer, *self.gateways):
                opened.enter_context(process)
            befalling = threading.Thread(target=plight.run, args=(kills, seconds), daemon=True)
            befalling.start()
            memory = self._watch(seconds)
            befalling.join()
            self._drain(named)
            for process in (self.sealer, self.server):
                process.stop()
            self.last_sealer.start()
            self.last_sealer.stop_by_itself()
        account = account_of(self.works, self.server.data, self.notes)
        return self._outcome(seconds, kills, memory, plight.befell, account)

    def _watch(self, seconds: float) -> list[tuple[float, int]]:
        """Return the core's memory over the time: seconds, bytes."""
        began, told = self.clock.monotonic_ms(), 0.0
        memory: list[tuple[float, int]] = []
        while (passed := (self.clock.monotonic_ms() - began) / 1000) < seconds:
            if self.server.runs:
                memory.append((passed, rss_bytes(self.server.pid)))
            if passed - told > max(seconds / 20, 10):
                told = passed
                self.stage.say(f"{passed:.0f} of {seconds:.0f} s")
            threading.Event().wait(LOOK_EVERY_S)
        return memory

    def _drain(self, named: Mapping[str, Process]) -> None:
        """Let the instruments be quiet and everything that they told reach the server.

        An outbox is its gateway's alone while that runs: it is looked at between two lives.
        """
        (self.stage.directory / QUIET).touch()
        for process in named.values():
            process.signal(signal.SIGCONT)
            if not process.runs:
                process.start()
        wait_for(self.server, f"http://{self.server.host}/healthz")
        began = self.clock.monotonic_ms()
        while True:
            threading.Event().wait(DRAIN_S)
            for gateway in self.gateways:
                gateway.stop()
            if all(map(_is_drained, self.outboxes)):
                return
            if self.clock.monotonic_ms() - began > DRAINED_WITHIN_S * 1000:
                raise BenchFailed(f"outboxes do not drain: {self.gateways[0].said()[-1500:]}")
            for gateway in self.gateways:
                gateway.start()

    def _outcome(
        self,
        seconds: float,
        kills: int,
        memory: list[tuple[float, int]],
        befell: Mapping[str, int],
        account: Account,
    ) -> Outcome:
        figures: dict[str, float] = {"lost": account.lost, "doubled": account.doubled}
        if not kills:
            figures["rss_slope_percent"] = round(_slope_percent(memory, seconds), 2)
        load: dict[str, float | int | str] = {
            "points": self.works.points,
            "seconds": round(seconds),
            "samples_told": account.told,
            "samples_promised": account.promised,
            "frames": account.frames,
            "occurrences": account.occurrences,
            "rss_most_gb": round(max((size for _, size in memory), default=0) / 1e9, 3),
            **befell,
        }
        enough = account.promised > 0 and account.frames > 0
        checked = [
            Checked("samples were promised", enough, f"{account.promised} of {account.told} told"),
            Checked("none of them lost", account.lost == 0, f"{account.lost}"),
            Checked("none of them twice", account.doubled == 0, f"{account.doubled}"),
            Checked("none that nobody told", account.foreign == 0, f"{account.foreign}"),
            Checked(
                "numbers dense, intervals joined",
                account.frames_out_of_step == 0,
                f"{account.frames_out_of_step} of {account.frames} frames",
            ),
        ]
        return Outcome(figures=figures, load=load, checked=checked)


def _is_drained(outbox: Path) -> bool:
    """Tell whether every frame of an outbox has been acknowledged (docs/formats/outbox.md)."""
    with closing(sqlite3.connect(outbox, timeout=5.0)) as file:
        (waiting,) = file.execute("SELECT sum(last - forgotten) FROM epochs").fetchone()
    return not waiting


def _slope_percent(memory: list[tuple[float, int]], seconds: float) -> float:
    """Return by how many percent memory grew over the last two thirds, by a straight line."""
    late = [(at, size) for at, size in memory if at >= seconds / 3]
    if len(late) < 3:  # no line through fewer
        return float("nan")
    at, size = np.asarray(late, dtype=float).T
    slope, start = np.polyfit(at - at[0], size, 1)
    return float(slope * (at[-1] - at[0]) / start * 100)
