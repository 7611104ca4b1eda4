"""history: a day of a plant sealed by the sealer, and what asking it costs.

The log's records go straight to the sealer, as often as its own clock would have it; then the real
web answers trends. All points at an instant is asked of plain DuckDB over the segments that reach
there: no route answers it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import httpx
import numpy as np

from meltwatch.apps.bench.measure import own_cpu_s, quantile
from meltwatch.apps.bench.plant import Works, write_node
from meltwatch.apps.bench.screen import LOGIN, open_account, signed_in
from meltwatch.apps.bench.server import HOST, Server
from meltwatch.apps.bench.verdict import BenchFailed, Checked, Outcome, Stage, Wish
from meltwatch.clock import SystemClock
from meltwatch.history.read import segment_paths
from meltwatch.history.sealer import Sealer
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.sample import SampleBatch

SAMPLES, POINTS = 51_840_000, 600
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
STALE_MS = 600_000
WINDOWS, DAYS, INSTANTS = 20, 3, 7
TELL_EVERY = 10_000_000
SETTLES_S = 3.0
ENTERPRISE = "plant-0"


def history(stage: Stage, wish: Wish) -> Outcome:
    """Return the bytes of a sample and the ms of three kinds of question."""
    works = Works(points=wish.points or POINTS, plants=1, gateways_a_plant=1, alarms_a_cycle=0)
    clock, server = SystemClock(), Server(write_node(works, stage.directory), stage.directory)
    cycles = (wish.samples or SAMPLES) // works.points
    begin = clock.wall_ms() // 1000 * 1000 - cycles * works.period_ms
    directory = server.history(ENTERPRISE)
    used, began = own_cpu_s(), clock.monotonic_ns()
    _seal(stage, works, directory, begin, cycles)
    sealed_s = (clock.monotonic_ns() - began) / 1e9
    open_account(server, ENTERPRISE)
    with server:
        server.wait_ready()
        asked = _Asked(works, server, begin, cycles)
        asked.wait_ready()
        figures = {
            "window_ms": asked.time(WINDOWS, lambda n: asked.windows(n, 1, HOUR_MS)),
            "day10_ms": asked.time(DAYS, lambda n: asked.windows(n, 10, DAY_MS)),
            "instant_ms": asked.time(INSTANTS, lambda n: asked.instant(directory, n)),
        }
    paths = segment_paths(directory)
    size = sum(path.stat().st_size for path in paths)
    figures = {"bytes_per_sample": round(size / cycles / works.points, 3), **figures}
    load: dict[str, float | int | str] = {
        "points": works.points,
        "samples": cycles * works.points,
        "span_h": round(cycles * works.period_ms / HOUR_MS, 2),
        "segments": len(paths),
        "sealed_samples_per_s": round(cycles * works.points / sealed_s),
        "signal": "0.1 steps, wandering by up to 0.2 a second",
        "generator_cpu_s": round(own_cpu_s() - used, 2),
    }
    checked = [_all_there(works, paths, cycles), *asked.checked]
    return Outcome(figures=figures, load=load, checked=checked)


def _seal(stage: Stage, works: Works, directory: Path, begin: int, cycles: int) -> None:
    """Seal so many cycles, one frame each, when the sealer finds them due."""
    layout = tuple(map(PointCode, works.codes(0)))
    point = np.arange(works.points, dtype="<i4").tobytes()
    good = np.zeros(works.points, dtype="<u2").tobytes()
    with closing(Sealer(directory, EnterpriseId(ENTERPRISE))) as sealer:
        for cycle in range(cycles):
            at = begin + (cycle + 1) * works.period_ms
            record = SamplesRecord(
                received_at=at,
                source=SourceId(works.gateway(0)),
                epoch=EpochId(f"{begin:012x}-{0:016x}"),
                seq=cycle + 1,
                complete_from=at - works.period_ms,
                complete_to=at,
                samples=SampleBatch(
                    layout=layout,
                    point_bytes=point,
                    at_bytes=np.full(works.points, at, "<i8").tobytes(),
                    value_bytes=(works.tenths(0, cycle) / 10).astype("<f8").tobytes(),
                    quality_bytes=good,
                ),
            )
            sealer.take(cycle + 1, record)
            if sealer.due(at):
                sealer.seal(at)
            if (cycle + 1) * works.points % TELL_EVERY < works.points:
                stage.say(f"{(cycle + 1) * works.points:,} samples given to the sealer")
        sealer.seal(begin + cycles * works.period_ms)


class _Asked:
    """Questions, each answer compared with what was told."""

    def __init__(self, works: Works, server: Server, begin: int, cycles: int) -> None:
        self.works, self.begin, self.cycles = works, begin, cycles
        cookie = signed_in(f"{HOST}:{server.port}", f"{LOGIN}-{ENTERPRISE}")
        self.client = httpx.Client(
            base_url=server.address, headers={"Cookie": cookie}, timeout=120.0, trust_env=False
        )
        self.chance = np.random.default_rng(7)
        self.checked: list[Checked] = []
        self._codes = works.codes(0)

    def wait_ready(self) -> None:
        """Wait until the plant is told to web."""
        clock = SystemClock()
        began = clock.monotonic_ms()
        while (
            self._trend(self._codes[0], self.begin, self.begin + 1000).status_code != httpx.codes.OK
        ):
            if clock.monotonic_ms() - began > SETTLES_S * 20_000:
                raise BenchFailed("web answers no trend")

    def time(self, times: int, ask: Callable[[int], Callable[[], bool]]) -> float:
        """Return the median of asking, ms, the first time left out; note whether answers fit."""
        clock, took, fit = SystemClock(), list[float](), True
        for number in range(times + 1):
            began = clock.monotonic_ns()
            check = ask(number)
            took.append((clock.monotonic_ns() - began) / 1e6)
            fit &= check()
        self.checked.append(Checked("answers are what was told", fit, f"{times + 1} questions"))
        return round(quantile(took[1:], 0.5), 1)

    def windows(self, _number: int, points: int, span_ms: int) -> Callable[[], bool]:
        """Ask for some points over a window, one after the other, as a screen does."""
        span = min(span_ms, self.cycles * self.works.period_ms)
        last = self.begin + self.cycles * self.works.period_ms
        start = int(self.chance.integers(self.begin, last - span + 1))
        chosen = self.chance.choice(self.works.points, points, replace=False).tolist()
        told = [self._trend(self._codes[one], start, start + span - 1) for one in chosen]

        def check() -> bool:
            return all(
                answer.status_code == httpx.codes.OK
                and self._fits(point, start, start + span - 1, answer.json())
                for point, answer in zip(chosen, told, strict=True)
            )

        return check

    def instant(self, directory: Path, _number: int) -> Callable[[], bool]:
        """Ask for all points at an instant: the last value of each at or before it."""
        cycle = int(self.chance.integers(0, self.cycles))
        at = self.begin + (cycle + 1) * self.works.period_ms
        paths = [str(one) for one in segment_paths(directory, at - STALE_MS, at)]
        with duckdb.connect(config={"threads": 1}) as connection:
            found = connection.execute(
                'SELECT point, arg_max(value, "at") FROM read_parquet($paths) '
                'WHERE "at" BETWEEN $reach AND $at GROUP BY point',
                {"paths": paths, "reach": at - STALE_MS, "at": at},
            ).fetchall()
        wanted = dict(zip(self._codes, (self.works.tenths(0, cycle) / 10).tolist(), strict=True))
        return lambda: dict(found) == wanted

    def _trend(self, point: str, at_from: int, at_to: int) -> httpx.Response:
        told: dict[str, str | int] = {"point": point, "from": at_from, "to": at_to, "width": 500}
        return self.client.get(f"/api/plants/{ENTERPRISE}/trend", params=told)

    def _fits(self, point: int, at_from: int, at_to: int, told: dict[str, list[float]]) -> bool:
        """Compare the extremes and the last value of a window with what was told in it."""
        period = self.works.period_ms
        first = max(-(-(at_from - self.begin) // period) - 1, 0)
        last = min((at_to - self.begin) // period - 1, self.cycles - 1)
        values = self.works.series(0, point, first, last + 1) / 10
        seen = min(told["least"]), max(told["most"]), told["last"][-1]
        return seen == (float(values.min()), float(values.max()), float(values[-1]))


def _all_there(works: Works, paths: Sequence[Path], cycles: int) -> Checked:
    """Compare the count and the sum of all rows with what was told."""
    with duckdb.connect(config={"threads": 2}) as connection:
        found = connection.execute(
            "SELECT count(*), sum(round(value * 10)::BIGINT)::BIGINT FROM read_parquet($paths)",
            {"paths": [str(path) for path in paths]},
        ).fetchone()
    total = sum(int(works.tenths(0, cycle).sum()) for cycle in range(cycles))
    held = found == (cycles * works.points, total)
    return Checked("rows and sums in the segments", held, f"{found}")
