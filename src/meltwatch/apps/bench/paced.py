"""Load in the plants' own time: each frame is due at its `complete_to` by the wall clock.

What alarm and storm stand on. Frames hold their instants, so that they are made for a start that
lies as far ahead as making them will take.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from meltwatch.apps.bench.load import Lane, Ready, lanes_of
from meltwatch.apps.bench.measure import own_cpu_s
from meltwatch.apps.bench.plant import Expected, Works
from meltwatch.apps.bench.sending import NS, Sending
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import BenchFailed, Stage
from meltwatch.clock import SystemClock

SPARE = 1.4
AHEAD_MS = 2_000
TRIES = 3
AFTER_S = 20.0
"""How long frames that are late may still be sent once all are due: a server that is behind."""


class Paced(msgspec.Struct, kw_only=True):
    """What was sent in the plants' own time, and when each frame was due and acknowledged."""

    lanes: list[Lane]
    sending: Sending
    offset: int
    """Monotonic ns at the epoch of the wall clock."""
    ended: int
    """When sending ended, monotonic ns."""
    generator_cpu_s: float
    acknowledged: dict[tuple[int, int], int]

    def due(self, complete_to: int) -> int:
        """Return when a frame was due, monotonic ns."""
        return complete_to * 1_000_000 + self.offset

    def offered(self) -> list[tuple[int, Expected]]:
        """Return every occurrence that all frames lead to, sent or not, with its gateway."""
        return [(lane.gateway, one) for lane in self.lanes for one in lane.expected(lane.made)]

    def deciding(self, gateway: int, raised: int) -> int:
        """Return the `complete_to` of the frame by which an occurrence is decided."""
        lane = self.lanes[gateway]
        frames = -(-(raised - lane.begin) // lane.works.frame_ms)
        return lane.complete_to(frames)

    def behind_s(self) -> float:
        """Return how late the last frame of all was acknowledged, or not sent at all, seconds."""
        late = [
            self.acknowledged.get((lane.gateway, at), self.ended) - self.due(at)
            for lane in self.lanes
            for at in [lane.complete_to(lane.made)]
        ]
        return max(late) / NS


def send_paced(
    stage: Stage, server: Server, works: Works, frames: int, after_s: float = AFTER_S
) -> Paced:
    """Make so many frames of each gateway, send each when it is due; raises BenchFailed."""
    clock = SystemClock()
    wait_ms = _seconds_to_make(works, frames, server.host) * SPARE * 1000 + AHEAD_MS
    for _ in range(TRIES):
        begin = clock.wall_ms() + int(wait_ms)
        stage.say(f"making and signing {frames * works.gateways} frames")
        lanes = _staggered(works, begin, server.host)
        ready = [[lane.make() for _ in range(frames)] for lane in lanes]
        if clock.wall_ms() < begin:
            break
        wait_ms *= 2
    else:
        raise BenchFailed("frames are not made in time: the machine is too busy")
    return _send(stage, server, lanes, ready, after_s)


def _send(
    stage: Stage,
    server: Server,
    lanes: list[Lane],
    ready: Sequence[Sequence[Ready]],
    after_s: float,
) -> Paced:
    clock = SystemClock()
    sending = Sending(server.intake)
    offset = clock.monotonic_ns() - clock.wall_ms() * 1_000_000
    last = max(lane.complete_to(lane.made) for lane in lanes)
    own = own_cpu_s()
    stage.say(f"sending from {(lanes[0].begin - clock.wall_ms()) / 1000:.1f} s on")
    sending.run(
        lanes,
        ready,
        due=lambda one: one.complete_to * 1_000_000 + offset,
        until=last * 1_000_000 + offset + int(after_s * NS),
        tell=lambda told: stage.say(f"{told} frames"),
    )
    return Paced(
        lanes=lanes,
        sending=sending,
        offset=offset,
        ended=clock.monotonic_ns(),
        generator_cpu_s=round(own_cpu_s() - own, 2),
        acknowledged={(one.gateway, one.complete_to): one.acknowledged for one in sending.sent},
    )


def _staggered(works: Works, begin: int, host: str) -> list[Lane]:
    """Return lanes whose frames are due one after the other, as gateways do not agree."""
    step = works.frame_ms / works.gateways
    return [
        Lane(works, gateway, begin + int(gateway * step), host) for gateway in range(works.gateways)
    ]


def _seconds_to_make(works: Works, frames: int, host: str) -> float:
    clock = SystemClock()
    some = lanes_of(works, clock.wall_ms(), host)[: min(works.gateways, 5)]
    began = clock.monotonic_ns()
    for lane in some:
        for _ in range(works.frames_a_cycle):
            lane.make()
    each = (clock.monotonic_ns() - began) / NS / len(some) / works.frames_a_cycle
    return each * works.gateways * frames
