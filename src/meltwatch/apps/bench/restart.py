"""restart: kill -9, start, and how long until a frame is judged again.

Everything that was sent lies behind the last checkpoint: those that were made meanwhile are taken
out of `state.sqlite` (docs/formats/ledger.md), because how much lies behind one depends on how fast
this machine is, and the figure must not.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from meltwatch.apps.bench.checks import check_all
from meltwatch.apps.bench.journey import BEGIN, works_of
from meltwatch.apps.bench.load import frames_of, lanes_of
from meltwatch.apps.bench.measure import own_cpu_s
from meltwatch.apps.bench.plant import write_node
from meltwatch.apps.bench.sending import NS, Sending
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import Checked, Outcome, Stage, Wish
from meltwatch.clock import SystemClock

SAMPLES = 6_000_000
FILL_S = 300.0
"""How long filling the log may take; a slower server has less to run again, and that is said."""
AT_ONCE = 40
"""How many frames of a gateway are made at once."""


def restart(stage: Stage, wish: Wish) -> Outcome:
    """Return the seconds from starting a killed core to its first answer to a frame."""
    works = works_of(wish)
    works = msgspec.structs.replace(works, rows=works.points_a_gateway)
    samples, fill_s = wish.samples or SAMPLES, wish.seconds or FILL_S
    clock, node = SystemClock(), write_node(works, stage.directory)
    with Server(node, stage.directory, alone=True) as server:
        stage.say(f"{works.points} points in {works.plants} plants: waiting for the core")
        up_s = server.wait_ready()
        lanes, sending, own = lanes_of(works, BEGIN, server.host), Sending(server.intake), 0.0
        began = clock.monotonic_ns()
        until = began + int(fill_s * NS)
        while (told := sum(one.rows for one in sending.sent)) < samples:
            if clock.monotonic_ns() > until:
                break
            left = -(-(samples - told) // works.points)
            frames = frames_of(lanes, min(AT_ONCE, left))
            used = own_cpu_s()
            sending.run(lanes, frames, until=until)
            own += own_cpu_s() - used
            for lane in lanes:
                lane.made = lane.acknowledged
            stage.say(f"{sum(one.rows for one in sending.sent)} of {samples} samples are logged")
        filled_s = (clock.monotonic_ns() - began) / NS
        server.kill()
        forget_checkpoints(server.ledger)
        stage.say("killed; starting again")
        frames = frames_of(lanes, 1)
        began = clock.monotonic_ns()
        server.start()
        listening_s = server.wait_ready()
        sending.run(lanes, frames)
        took_s = (clock.monotonic_ns() - began) / NS
        server.stop()
    load: dict[str, float | int | str] = {
        "points": works.points,
        "plants": works.plants,
        "samples_behind": told,
        "rows_a_frame": works.rows,
        "fill_samples_per_s": round(told / filled_s),
        "first_start_s": round(up_s, 1),
        "listening_s": round(listening_s, 1),
        "generator_cpu_s": round(own, 2),
    }
    enough = Checked("so many samples lay behind the checkpoint", told >= samples, f"{told}")
    return Outcome(
        figures={"seconds": round(took_s, 2)},
        load=load,
        checked=[enough, *check_all(server, lanes)],
    )


def forget_checkpoints(ledger: Path) -> None:
    """Take every checkpoint out of the state of a core that does not run."""
    with closing(sqlite3.connect(ledger / "state.sqlite")) as state:
        state.execute("DELETE FROM checkpoints")
        state.commit()
