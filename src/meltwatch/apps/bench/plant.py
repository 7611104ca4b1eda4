"""The plants of a bench: points, six conditions each, and what every point tells at every instant.

The values are a function of (point, cycle), so that whoever checks needs no list of them. A point
has one sample a period; now and then it goes over its H limit for some cycles, and the occurrences
that follow are known beforehand: raised exactly its on-delay behind the first sample over the
limit, returned its off-delay behind the first one that is well again (SEMANTICS).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.apps.bench.verdict import BenchFailed

UNIT_POINTS, SMALL_UNIT_POINTS, SMALL = 100, 20, 10_000
"""How many points a unit has; fewer below so many in all: reading the template would count."""
ON_DELAY_MS, OFF_DELAY_MS = 2_000, 3_000
LOW_LOW, LOW, HIGH, HIGH_HIGH = 10, 20, 80, 90
OVER = 850
"""What a point tells while it is over its limit, in tenths; HH stays below."""
OVER_MS = 5_000
SECRET = "only for trials on this machine, {}"  # noqa: S105  # of plants that exist nowhere
FIRST_GAP = 2
"""How many cycles are calm before anything goes over a limit."""


class Works(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The plants and how they speak.

    `period_ms`: between two samples of a point, taken over `spread_ms` at the most.
    `alarms_a_cycle`: how many points of each of the first `restless` plants go over their limit in
    a period. `storm_at`: the cycle in which the first `storm` points go over instead. `steps`: that
    many points go over once, spread over `steps_over` cycles, and as many for a single sample,
    which is too short to be an alarm. `one_rule`: every point has its H alone.
    """

    points: int
    plants: int = 10
    gateways_a_plant: int = 2
    rows: int = 1_000
    period_ms: int = 1_000
    alarms_a_cycle: int = 2
    restless: int = 1_000_000
    storm: int = 0
    storm_at: int = 0
    steps: int = 0
    steps_over: int = 1
    calm: int = FIRST_GAP
    spread_ms: int = 1_000
    on_delay_ms: int = ON_DELAY_MS
    over_ms: int = OVER_MS
    one_rule: bool = False
    clock: str = "recorded"

    def __post_init__(self) -> None:
        """Refuse a shape in which frames would not divide a period evenly."""
        each = self.points / (self.plants * self.gateways_a_plant)
        if each % self.unit_points or self.period_ms % self.frames_a_cycle:
            raise BenchFailed(f"{self.points} points do not divide evenly over gateways and frames")

    @property
    def unit_points(self) -> int:
        """Return how many points a unit has."""
        return UNIT_POINTS if self.points >= SMALL else SMALL_UNIT_POINTS

    @property
    def gateways(self) -> int:
        """Return how many gateways there are in all."""
        return self.plants * self.gateways_a_plant

    @property
    def points_a_gateway(self) -> int:
        """Return how many points each gateway brings."""
        return self.points // self.gateways

    @property
    def frames_a_cycle(self) -> int:
        """Return how many frames tell each of a gateway's points once."""
        return -(-self.points_a_gateway // self.rows)

    @property
    def frame_ms(self) -> int:
        """Return the time that a frame completes."""
        return self.period_ms // self.frames_a_cycle

    @property
    def over_cycles(self) -> int:
        """Return how many cycles a point stays over its limit."""
        return max(self.over_ms // self.period_ms, self.on_delay_ms // self.period_ms + 1)

    @property
    def recurs(self) -> int:
        """Return after how many cycles the same point goes over its limit again."""
        share = self.points_a_gateway * self.gateways_a_plant // max(self.alarms_a_cycle, 1)
        return max(share, 4 * self.over_cycles, (4 * self.over_ms) // self.period_ms)

    def rows_of_slot(self, slot: int) -> slice:
        """Return which of a gateway's points a frame tells; `slot`: its place in the cycle."""
        return slice(slot * self.rows, min((slot + 1) * self.rows, self.points_a_gateway))

    def enterprise(self, gateway: int) -> str:
        """Return the enterprise that a gateway belongs to."""
        return f"plant-{gateway // self.gateways_a_plant}"

    @staticmethod
    def gateway(gateway: int) -> str:
        """Return a gateway's name."""
        return f"gw-{gateway}"

    @staticmethod
    def key(gateway: int) -> str:
        """Return the id of a gateway's key."""
        return f"k-{gateway}"

    @staticmethod
    def secret(gateway: int) -> str:
        """Return a gateway's secret."""
        return SECRET.format(gateway)

    def codes(self, gateway: int) -> list[str]:
        """Return the codes of a gateway's points, in their order."""
        units = self.points_a_gateway // self.unit_points
        first = gateway * units
        return [
            f"u{first + unit}/p{place:02d}"
            for unit in range(units)
            for place in range(self.unit_points)
        ]

    # what the points tell

    @cached_property
    def _wander(self) -> NDArray[np.int64]:
        """Return the noise that all points read, each from another place: tenths about 50."""
        chance = np.random.default_rng(20_240_808)
        steps = np.cumsum(chance.integers(-2, 3, 65_536))
        return 500 + np.asarray(steps - np.round(np.linspace(0, steps[-1], 65_536)), np.int64) % 97

    def offsets(self, slot: int) -> NDArray[np.int64]:
        """Return how long before its frame's `complete_to` each point is sampled, ms."""
        of_frame = self.rows_of_slot(slot)
        within = min(self.frame_ms, self.spread_ms)
        return (np.arange(of_frame.start, of_frame.stop, dtype=np.int64) * 7) % within

    def _starts(self, gateway: int) -> NDArray[np.int64]:
        """Return in which cycle of `recurs` each point of a gateway goes over its limit."""
        numbers = np.arange(self.points_a_gateway, dtype=np.int64)
        within = gateway % self.gateways_a_plant * self.points_a_gateway + numbers
        return (within * 7_919) % self.recurs

    def over(self, gateway: int, cycle: int) -> NDArray[np.bool_]:
        """Return which of a gateway's points are over their limit in a cycle."""
        numbers = np.arange(self.points_a_gateway)
        found = np.zeros(self.points_a_gateway, np.bool_)
        if self.storm:
            mine = numbers + gateway * self.points_a_gateway < self.storm
            if self.storm_at <= cycle < self.storm_at + self.over_cycles:
                found |= mine
        elif self.steps:
            found |= self._stepping(gateway, cycle)
        elif gateway // self.gateways_a_plant < self.restless and self.alarms_a_cycle:
            into = (cycle - FIRST_GAP - self._starts(gateway)) % self.recurs
            found |= (into < self.over_cycles) & (cycle - into >= FIRST_GAP)
        return found

    def _stepping(self, gateway: int, cycle: int) -> NDArray[np.bool_]:
        """Return which points are over in a cycle, steps and blips: one after the other."""
        numbers = np.arange(self.points_a_gateway) + gateway * self.points_a_gateway
        stride = self.points // (2 * self.steps)
        place, rest = np.divmod(numbers, stride)
        starts = self.calm + place // 2 * self.steps_over // self.steps
        lasts = np.where(place % 2 == 0, self.over_cycles, 1)
        chosen = (rest == 0) & (place < 2 * self.steps)
        answer: NDArray[np.bool_] = chosen & (cycle >= starts) & (cycle < starts + lasts)
        return answer

    def tenths(self, gateway: int, cycle: int) -> NDArray[np.int64]:
        """Return what each point of a gateway tells in a cycle, in tenths."""
        numbers = np.arange(self.points_a_gateway, dtype=np.int64)
        place = (gateway * 977 + numbers * 131 + cycle) % len(self._wander)
        return np.where(self.over(gateway, cycle), OVER, self._wander[place])

    def series(self, gateway: int, point: int, first: int, end: int) -> NDArray[np.int64]:
        """Return what a point that never is over its limit tells in some cycles, in tenths."""
        cycles = np.arange(first, end, dtype=np.int64)
        return self._wander[(gateway * 977 + point * 131 + cycles) % len(self._wander)]

    def expected(self, gateway: int, begin: int, frames: int) -> Iterator[Expected]:
        """Yield the occurrences that a gateway's first `frames` frames lead to.

        `begin`: the instant (ms UTC) that its first frame begins at.
        """
        per, reached = self.frames_a_cycle, begin + frames * self.frame_ms
        codes, former = self.codes(gateway), np.zeros(self.points_a_gateway, np.bool_)
        offsets = np.concatenate([self.offsets(slot) for slot in range(per)])
        slots = np.arange(self.points_a_gateway) // self.rows
        for cycle in range(-(-frames // per)):
            over = self.over(gateway, cycle)
            lasting = over & self.over(gateway, cycle + 1)  # one sample alone is no alarm
            for point in np.flatnonzero(lasting & ~former).tolist():
                at = begin + (cycle * per + int(slots[point]) + 1) * self.frame_ms
                first = at - int(offsets[point])
                raised = first + self.on_delay_ms
                returned = first + self.over_cycles * self.period_ms + OFF_DELAY_MS
                if raised <= reached:
                    ended = returned if returned <= reached else None
                    yield Expected(f"{codes[point]}.H", raised, ended)
            former = over


class Expected(msgspec.Struct, frozen=True, array_like=True):
    """An occurrence that must come: its condition, and its instants in ms UTC."""

    condition: str
    raised: int
    returned: int | None


def write_node(works: Works, directory: Path) -> Path:
    """Write the node's file and its template; return the path of the first."""
    (directory / "template.yaml").write_text(_template(works), encoding="utf-8")
    units = works.points_a_gateway // works.unit_points
    lines = ["node: bench", "enterprises:"]
    for plant in range(works.plants):
        mine = range(plant * works.gateways_a_plant, (plant + 1) * works.gateways_a_plant)
        lines += [
            f"  plant-{plant}:",
            f"    name: [试验{plant}, Trial {plant}]",
            "    module: steel",
            '    region: "370899"',
            "    region_name: [示例县, Example County]",
            "    simulation: true",
            "    units:",
            *(
                f"      u{unit}: {{name: [{unit}号, Unit {unit}], template: template.yaml, "
                f"gateway: {works.gateway(gateway)}}}"
                for gateway in mine
                for unit in range(gateway * units, (gateway + 1) * units)
            ),
            "    gateways:",
            *(
                f"      {works.gateway(one)}: {{offline_s: 86400, clock: {works.clock}, "
                f"key: {{id: {works.key(one)}, hmac_sm3: {json.dumps(works.secret(one))}}}}}"
                for one in mine
            ),
        ]
    path = directory / "node.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _template(works: Works) -> str:
    """Return points with LL/L/H/HH, deadband, both delays, rate and stuck each, or H alone."""
    delays = f"on_delay_s: {works.on_delay_ms / 1000:g}, off_delay_s: {OFF_DELAY_MS / 1000:g}"
    points, conditions = ["points:"], ["conditions:"]
    for place in range(works.unit_points):
        name = f"p{place:02d}"
        points.append(f"  {name}: {{unit: degC, stale_s: 600, range: [-50, 1500]}}")
        for end, kind, limit, level in (
            ("LL", "low", LOW_LOW, 2),
            ("L", "low", LOW, 3),
            ("H", "high", HIGH, 3),
            ("HH", "high", HIGH_HIGH, 2),
        ):
            if works.one_rule and end != "H":
                continue
            conditions.append(
                f"  {name}.{end}: {{kind: {kind}, point: {name}, limit: {limit}, deadband: 1, "
                f"{delays}, level: {level}}}"
            )
        if works.one_rule:
            continue
        conditions.append(
            f"  {name}.rate: {{kind: rate, point: {name}, as: high, limit: 500, window_s: 10, "
            f"{delays}, level: 4}}"
        )
        conditions.append(
            f"  {name}.stuck: {{kind: stuck, point: {name}, band: 0, on_delay_s: 3600, level: 4}}"
        )
    conditions.append("  gateway.offline: {kind: offline, level: 4}")
    return "\n".join([*points, *conditions]) + "\n"
