"""growth: whether a sample costs more where there are more points.

The core alone, saturated with frames of a thousand rows, over few points and over many.
"""

from __future__ import annotations

from meltwatch.apps.bench.checks import check_all
from meltwatch.apps.bench.journey import BEGIN, works_of
from meltwatch.apps.bench.load import frames_of, lanes_of
from meltwatch.apps.bench.measure import own_cpu_s
from meltwatch.apps.bench.plant import write_node
from meltwatch.apps.bench.sending import NS, Sending
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import Checked, Outcome, Stage, Wish
from meltwatch.clock import SystemClock

MANY, FEW, SECONDS = 600_000, 10_000, 20.0
SHARE = MANY // FEW
MOST_RATE = 300_000


def growth(stage: Stage, wish: Wish) -> Outcome:
    """Return how many times as long a sample takes at many points, and what memory that needs."""
    many = wish.points or MANY
    few = max(many // SHARE // 2_000 * 2_000, min(many, 2_000))
    load: dict[str, float | int | str] = {"points": many, "few": few, "conditions": many * 6}
    used = own_cpu_s()
    checked: list[Checked] = []
    rates: list[float] = []
    memory = 0.0
    for points in (few, many):
        asked = Wish(points=points, plants=wish.plants, seconds=wish.seconds)
        rate, memory, up_s, told = _at(stage, asked)
        rates.append(rate)
        checked += told
        load[f"start_s_at_{points}"] = round(up_s, 1)
        load[f"samples_per_s_at_{points}"] = round(rate)
    load["generator_cpu_s"] = round(own_cpu_s() - used, 2)
    figures = {
        "ratio": round(rates[0] / rates[1], 3),
        "samples_per_s_at_600k": round(rates[1], 1),
        "rss_gb": round(memory, 2),
    }
    return Outcome(figures=figures, load=load, checked=checked)


def _at(stage: Stage, wish: Wish) -> tuple[float, float, float, list[Checked]]:
    """Return samples/s, GB, seconds to start and what was checked, at a number of points."""
    works, clock, seconds = works_of(wish), SystemClock(), wish.seconds or SECONDS
    directory = stage.directory / str(works.points)
    directory.mkdir()
    with Server(write_node(works, directory), directory, alone=True) as server:
        stage.say(f"{works.points} points in {works.plants} plants: waiting for the core")
        up_s = server.wait_ready()
        lanes, sending = lanes_of(works, BEGIN, server.host), Sending(server.intake)
        sending.run(lanes, frames_of(lanes, 1))
        rows = min(works.rows, works.points_a_gateway)
        each = int(MOST_RATE * seconds / rows / works.gateways) + 1
        frames = frames_of(lanes, each)
        stage.say(f"measuring for {seconds:g} s")
        first, began = len(sending.sent), clock.monotonic_ns()
        sending.run(lanes, frames, until=began + int(seconds * NS))
        took_s = (clock.monotonic_ns() - began) / NS
        memory = server.rss_gb()["core"]
        server.stop()
    rate = sum(one.rows for one in sending.sent[first:]) / took_s
    return rate, memory, up_s, check_all(server, lanes)
