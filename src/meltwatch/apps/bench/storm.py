"""storm: thousands of occurrences of one plant due within one second, all stored and pushed."""

from __future__ import annotations

import threading

import msgspec

from meltwatch.apps.bench.alarm import WATCHED, live_works
from meltwatch.apps.bench.checks import check_all
from meltwatch.apps.bench.paced import Paced, send_paced
from meltwatch.apps.bench.plant import write_node
from meltwatch.apps.bench.screen import Screen, open_account
from meltwatch.apps.bench.sending import NS
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import Outcome, Stage, Wish
from meltwatch.clock import SystemClock

STORM, RATE = 5_000, 50_000
CALM_CYCLES, AFTER_CYCLES = 2, 4
WITHIN_S = 120.0
LOOK_EVERY_S = 0.2


def storm(stage: Stage, wish: Wish) -> Outcome:
    """Return how long a storm takes from when it is due until it is stored and on a screen."""
    plain = live_works(wish, RATE, restless=0)
    works = msgspec.structs.replace(
        live_works(wish, RATE, restless=0, rows=plain.points_a_gateway),
        storm=min(STORM, plain.points // plain.plants),
        storm_at=CALM_CYCLES,
    )
    node = write_node(works, stage.directory)
    server = Server(node, stage.directory)
    open_account(server, works.enterprise(WATCHED))
    with server:
        stage.say(f"{works.points} points in {works.plants} plants: waiting for the server")
        server.wait_ready()
        with Screen(server, works.enterprise(WATCHED), stage.directory) as screen:
            screen.wait_ready()
            cycles = CALM_CYCLES + works.over_cycles + AFTER_CYCLES
            paced = send_paced(stage, server, works, cycles * works.frames_a_cycle, WITHIN_S)
            _wait_for(stage, screen, works.storm)
        seen = screen.seen()
        server.stop()
    offered = paced.offered()
    figures = {"seconds": round(_took(paced, seen) / NS, 3)}
    figures["stored_s"] = round(_took(paced, {}) / NS, 3)
    load: dict[str, float | int | str] = {
        "points": works.points,
        "plants": works.plants,
        "rate": round(works.points * 1000 / works.period_ms),
        "occurrences": len(offered),
        "due_within_ms": max(one.raised for _, one in offered)
        - min(one.raised for _, one in offered),
        "seen": len(seen),
        "behind_s": round(paced.behind_s(), 2),
        "reconnected": paced.sending.reconnected,
        "generator_cpu_s": paced.generator_cpu_s,
    }
    checked = check_all(server, paced.lanes, may_lack_frames=True)
    return Outcome(figures=figures, load=load, checked=checked)


def _took(paced: Paced, seen: dict[tuple[str, int], int]) -> int:
    """Return the time from when the first occurrence could be decided to the last one's end, ns."""
    first: list[int] = []
    last: list[int] = []
    for gateway, one in paced.offered():
        decided = paced.deciding(gateway, one.raised)
        first.append(paced.due(decided))
        last.append(paced.acknowledged.get((gateway, decided), paced.ended))
        if seen:
            last.append(seen.get((one.condition, one.raised), paced.ended))
    return max(last) - min(first)


def _wait_for(stage: Stage, screen: Screen, wanted: int) -> None:
    clock = SystemClock()
    began = clock.monotonic_ms()
    while (count := len(screen.seen())) < wanted:
        if clock.monotonic_ms() - began > WITHIN_S * 1000:
            stage.say(f"only {count} of {wanted} were pushed")
            return
        threading.Event().wait(LOOK_EVERY_S)
