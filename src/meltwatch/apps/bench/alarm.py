"""alarm: from the sample that completes a delay to the occurrence on a screen, under full load.

A frame counts from when it was due, not from when the server was ready for it; a frame that was
never taken counts as late as the bench's end. Its acknowledgement comes behind the commit.
"""

from __future__ import annotations

import threading

from meltwatch.apps.bench.checks import check_all
from meltwatch.apps.bench.journey import works_of
from meltwatch.apps.bench.measure import SyncProbe, quantile
from meltwatch.apps.bench.paced import Paced, send_paced
from meltwatch.apps.bench.plant import Works, write_node
from meltwatch.apps.bench.screen import Screen, open_account
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import Outcome, Stage, Wish

RATE, SECONDS = 200_000, 30.0
PUSHED_WITHIN_S = 10.0
WATCHED = 0
ALARMS_A_SECOND = 20


def alarm(stage: Stage, wish: Wish) -> Outcome:
    """Return how late alarms are on the live stream, and what the disk's syncs took meanwhile."""
    works = live_works(wish, RATE, restless=1)
    seconds = wish.seconds or SECONDS
    frames = int(seconds * 1000 / works.frame_ms) + 1
    node = write_node(works, stage.directory)
    server = Server(node, stage.directory)
    open_account(server, works.enterprise(WATCHED))
    with server:
        stage.say(f"{works.points} points in {works.plants} plants: waiting for the server")
        server.wait_ready()
        with Screen(server, works.enterprise(WATCHED), stage.directory) as screen:
            screen.wait_ready()
            probe = SyncProbe(stage.directory)
            cpu = server.cpu_s()
            probe.start()
            paced = send_paced(stage, server, works, frames)
            threading.Event().wait(min(PUSHED_WITHIN_S, seconds / 2))
            syncs, after = probe.end(), server.cpu_s()
        seen = screen.seen()
        server.stop()
    pushed, committed = lateness_ms(paced, seen)
    offered = paced.offered()
    figures = {
        "p99_ms": round(quantile(pushed, 0.99), 1),
        "worst_ms": round(max(pushed, default=float("nan")), 1),
        "fsync_p99_ms": round(quantile(syncs, 0.99), 2),
        "p50_ms": round(quantile(pushed, 0.5), 1),
        "committed_p99_ms": round(quantile(committed, 0.99), 1),
    }
    samples = sum(one.rows for one in paced.sending.sent)
    load: dict[str, float | int | str] = {
        "points": works.points,
        "plants": works.plants,
        "rate": round(works.points * 1000 / works.period_ms),
        "samples": samples,
        "offered": sum(lane.made for lane in paced.lanes) * min(works.rows, works.points_a_gateway),
        "alarms": len(offered),
        "seen": len(seen),
        "behind_s": round(paced.behind_s(), 2),
        "reconnected": paced.sending.reconnected,
        "generator_cpu_s": paced.generator_cpu_s,
    }
    load |= {f"{name}_cpu_s": round(after[name] - cpu.get(name, 0), 2) for name in after}
    return Outcome(
        figures=figures, load=load, checked=check_all(server, paced.lanes, may_lack_frames=True)
    )


def live_works(wish: Wish, rate: int, *, restless: int, rows: int = 1_000) -> Works:
    """Return plants that tell so many samples a second by the wall clock."""
    plain = works_of(wish)
    points_a_gateway = plain.points_a_gateway
    frames = -(-points_a_gateway // rows)
    period = max(round(plain.points * 1000 / (wish.rate or rate) / frames), 1) * frames
    return Works(
        points=plain.points,
        plants=plain.plants,
        rows=rows,
        period_ms=period,
        alarms_a_cycle=max(round(ALARMS_A_SECOND * period / 1000), 1),
        restless=restless,
        clock="live",
    )


def lateness_ms(paced: Paced, seen: dict[tuple[str, int], int]) -> tuple[list[float], list[float]]:
    """Return how late each occurrence of the watched plant was pushed, and committed, ms."""
    pushed, committed = [], []
    for gateway, one in paced.offered():
        if paced.lanes[gateway].works.enterprise(gateway) != f"plant-{WATCHED}":
            continue
        decided = paced.deciding(gateway, one.raised)
        due = paced.due(decided)
        taken = paced.acknowledged.get((gateway, decided), paced.ended)
        committed.append((taken - due) / 1e6)
        pushed.append((seen.get((one.condition, one.raised), paced.ended) - due) / 1e6)
    return pushed, committed
