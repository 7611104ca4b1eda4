"""journey: JSON rows through the real server, as fast as it takes them; everything on.

The load is played (clock domain `recorded`), because a saturated server is faster or slower than
the plants' own time, and a live gateway that lags is another matter (grace).
"""

from __future__ import annotations

from meltwatch.apps.bench.checks import check_all
from meltwatch.apps.bench.load import Lane, Ready, frames_of, lanes_of
from meltwatch.apps.bench.measure import own_cpu_s
from meltwatch.apps.bench.plant import UNIT_POINTS, Works, write_node
from meltwatch.apps.bench.sending import NS, Sending, announce
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import Outcome, Stage, Wish
from meltwatch.clock import SystemClock

POINTS, PLANTS, SECONDS = 100_000, 10, 60.0
GATEWAYS_A_PLANT, ROWS = 2, 1_000
BEGIN = 1_750_000_000_000
WARM_S = 5.0
WARM_RATE = 300_000
"""How many samples a second are ready at the most to warm up with."""
SPARE = 1.3
"""How many more frames are made than the warm-up would need, since it may go faster."""


def journey(stage: Stage, wish: Wish, form: str = "json") -> Outcome:
    """Return the samples a second that are acknowledged, evaluated, committed and sealed.

    `form`: how frames are written, one of `FORMS`.
    """
    works = works_of(wish)
    clock, seconds = SystemClock(), wish.seconds or SECONDS
    node = write_node(works, stage.directory)
    with Server(node, stage.directory) as server:
        stage.say(f"{works.points} points in {works.plants} plants: waiting for the server")
        up_s = server.wait_ready()
        stage.say(f"up after {up_s:.1f} s; warming up")
        lanes = lanes_of(works, BEGIN, server.host, form)
        announce(server.intake, lanes)
        sending = Sending(server.intake)
        rate = _warm_up(sending, lanes, min(WARM_S, seconds))
        frames = _frames_for(stage, lanes, rate * seconds * SPARE)
        stage.say(f"some {rate:,.0f} samples/s in warming up; measuring for {seconds:g} s")
        first, own, cpu = len(sending.sent), own_cpu_s(), server.cpu_s()
        began = clock.monotonic_ns()
        sending.run(
            lanes,
            frames,
            until=began + int(seconds * NS),
            tell=lambda told: stage.say(f"{told} frames"),
        )
        took_s = (clock.monotonic_ns() - began) / NS
        own, after = own_cpu_s() - own, server.cpu_s()
        memory = server.rss_gb()
        stage.say("ending the server: what is left is sealed")
        server.stop()
    samples = sum(one.rows for one in sending.sent[first:])
    figures = {"samples_per_s": round(samples / took_s, 1)}
    load: dict[str, float | int | str] = {
        "points": works.points,
        "conditions": works.points * 6,
        "plants": works.plants,
        "gateways": works.gateways,
        "rows_a_frame": works.rows,
        "frames": len(sending.sent) - first,
        "samples": samples,
        "seconds": round(took_s, 2),
        "start_s": round(up_s, 1),
        "asked_to_wait": sending.repeated,
        "reconnected": sending.reconnected,
        "generator_cpu_s": round(own, 2),
    }
    load |= {f"{name}_cpu_s": round(after[name] - cpu.get(name, 0), 2) for name in after}
    load |= {f"{name}_rss_gb": round(size, 2) for name, size in memory.items()}
    return Outcome(figures=figures, load=load, checked=check_all(server, lanes))


def works_of(wish: Wish) -> Works:
    """Return the plants that are wished for; a gateway brings whole units."""
    points, plants = wish.points or POINTS, wish.plants or PLANTS
    while points % (plants * GATEWAYS_A_PLANT * UNIT_POINTS) and plants > 1:
        plants -= 1  # a small form has fewer plants
    frames = -(-points // (plants * GATEWAYS_A_PLANT * ROWS))
    period_ms = -(-1_000 // frames) * frames  # a second, or little more: frames divide it evenly
    return Works(points=points, plants=plants, period_ms=period_ms)


def _warm_up(sending: Sending, lanes: list[Lane], seconds: float) -> float:
    """Send for a while as fast as it goes; return how many samples a second went."""
    clock = SystemClock()
    each = int(WARM_RATE * seconds / len(lanes) / lanes[0].works.rows) + 2
    frames = frames_of(lanes, each)
    began = clock.monotonic_ns()
    sending.run(lanes, frames, until=began + int(seconds * NS))
    for lane in lanes:
        lane.made = lane.acknowledged  # what was not sent is made again
    took_s = (clock.monotonic_ns() - began) / NS
    return sum(one.rows for one in sending.sent) / took_s


def _frames_for(stage: Stage, lanes: list[Lane], samples: float) -> list[list[Ready]]:
    """Return enough frames of each lane to hold so many samples."""
    works = lanes[0].works
    rows = min(works.rows, works.points_a_gateway)
    each = int(samples / len(lanes) / rows) + 2
    stage.say(f"making and signing {each * len(lanes)} frames")
    return frames_of(lanes, each)
