"""Measure history: bytes a sample, and ms of each question, on data like a plant's.

    tools/bench_history.py DIRECTORY [POINTS [HOURS]]

A fifth of the points are states that hold; the others are steady noise with one decimal, one sample
a second, instants jittered by some ms a frame. What is there already is not made again. Every
answer is compared with the generator's own arithmetic. The last line is one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from meltwatch.history.catalogue import FILE, HOUR_MS, Catalogue
from meltwatch.history.queries import History
from meltwatch.history.sealer import Sealer
from meltwatch.history.trend import Window
from meltwatch.ledger.memory import MemoryHome
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.sample import SampleBatch

PLANT = EnterpriseId("bench")
START = 497_000 * HOUR_MS
TIMES = 7


def main(place: str, points: str = "1000", hours: str = "14") -> int:
    """Make what is not there, ask, print."""
    directory, count, span = Path(place), int(points), int(hours)
    if not (directory / FILE).exists():
        make(directory, count, span)
    figures = ask(directory, count, span)
    print(json.dumps({"bench": "history", "figures": figures, "verified": True}))
    return 0


def values_of(hour: int, count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return instants, shape (3600,), and values, shape (3600, count), of an hour."""
    chance = np.random.default_rng(hour)
    at = START + hour * HOUR_MS + np.arange(3600) * 1000 + chance.integers(0, 9, 3600)
    fixed = np.random.default_rng(7)
    level, spread = fixed.uniform(10, 500, count), fixed.choice([0.1, 0.3, 0.5, 1, 2], count)
    value = np.round(level + chance.normal(size=(3600, count)) * spread, 1)
    value[:, : count // 5] = np.arange(count // 5) % 4
    return at, value


def make(directory: Path, count: int, hours: int) -> None:
    """Seal and compact as the sealer process does."""
    layout = tuple(PointCode(f"well-{nth // 40}/point_{nth:04d}") for nth in range(count))
    place = np.arange(count, dtype="<i4").tobytes()
    good = np.zeros(count, "<u2").tobytes()
    sealer = Sealer(directory, PLANT)
    started, slowest = time.perf_counter(), 0.0
    for hour in range(hours):
        ats, values = values_of(hour, count)
        for second in range(3600):
            seq = hour * 3600 + second + 1
            at = int(ats[second])
            samples = SampleBatch(
                layout, place, np.full(count, at).tobytes(), values[second].tobytes(), good
            )
            record = SamplesRecord(
                received_at=at,
                source=SourceId("gw-1"),
                epoch=EpochId("0199abcdefab-0123456789abcdef"),
                seq=seq,
                complete_from=int(ats[second - 1]) if second else at - 1000,
                complete_to=at,
                samples=samples,
            )
            sealer.take(seq, record)
            if seq % 60 == 0:
                before = time.perf_counter()
                sealer.seal(at)
                sealer.compact(at)
                slowest = max(slowest, time.perf_counter() - before)
    before = time.perf_counter()
    sealer.compact(START + (hours + 1) * HOUR_MS)
    slowest = max(slowest, time.perf_counter() - before)
    sealer.close()
    print(f"made in {time.perf_counter() - started:.0f} s, slowest seal {slowest:.1f} s")


def ask(directory: Path, count: int, hours: int) -> dict[str, float]:
    """Return the figures; raises AssertionError where an answer is wrong."""
    catalogue = Catalogue(directory)
    view = catalogue.view()
    catalogue.close()
    samples = sum(one.rows for one in view.segments)
    raw = sum(one.bytes for one in view.segments)
    derived = sum(one.bytes for one in view.derived)
    history = History(directory, MemoryHome().stream, PLANT)
    code = [PointCode(f"well-{nth // 40}/point_{nth:04d}") for nth in range(count)]
    figures: dict[str, float] = {
        "samples": samples,
        "raw_bytes_a_sample": raw / samples,
        "bytes_a_sample": (raw + derived) / samples,
        "files": len(view.segments),
    }
    assert samples == count * hours * 3600
    middle = hours // 2
    at, value = values_of(middle, count)
    hour = Window(at_from=START + middle * HOUR_MS, at_to=START + (middle + 1) * HOUR_MS, width=500)
    chosen = code[count // 2]
    told, figures["hour_1_point_ms"] = timed(lambda: history.window({chosen: 10_000}, hour))
    assert max(v for v in told[chosen].most if v is not None) >= value[:, count // 2].max()
    assert sum(end - begin for begin, end in told[chosen].blind) < 1000
    day = Window(at_from=START + 12_345, at_to=START + min(hours, 24) * HOUR_MS - 7_000, width=500)
    if hours * 60 >= day.width:
        many: dict[PointCode, int | None] = dict.fromkeys(code[5 :: count // 10][:10], 10_000)
        drawn, figures["day_10_points_ms"] = timed(lambda: history.window(many, day))
        wanted = np.max([values_of(one, count)[1][20:-20].max(axis=0) for one in range(hours)], 0)
        for nth in range(5, count, count // 10):
            most = max(v for v in drawn[code[nth]].most if v is not None)
            assert most >= wanted[nth], (nth, most, wanted[nth])
        _, figures["day_1_point_ms"] = timed(lambda: history.window({chosen: 10_000}, day))
    instant = START + middle * HOUR_MS + 2_000_500
    held, figures["snapshot_all_points_ms"] = timed(lambda: history.snapshot(instant))
    last = np.flatnonzero(at <= instant)[-1]
    assert held.points == tuple(sorted(code))
    assert held.value.tolist() == value[last][np.argsort(code)].tolist()
    _, figures["last_1_point_ms"] = timed(
        lambda: history.last(START + (hours + 5) * HOUR_MS, [chosen])
    )
    _, figures["gaps_ms"] = timed(lambda: history.gaps((day.at_from, day.at_to)))
    return {name: round(figure, 3) for name, figure in figures.items()}


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return the answer and the median ms of some runs, a first one left out."""
    answer, took = run(), []
    for _ in range(TIMES):
        before = time.perf_counter()
        run()
        took.append((time.perf_counter() - before) * 1000)
    return answer, median(took)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
