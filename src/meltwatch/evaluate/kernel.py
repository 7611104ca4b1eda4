"""The fast engine: every kind, in columns wherever many conditions are alike.

Gives exactly the transitions that `twin` gives. Conditions that read the same sources share a
frontier and make a lane; each source has a lane that keeps all its points.

    columns   what never changes of a lane's conditions, and what they judge
    waiting   samples that wait for their coverage
    calm      which values surely change nothing
    moving    what calm values move: the memory of rates (`rates`, `past`), `stucks`
    agenda    which delays end, which points grow stale
    lane      what is calm, what must be decided exactly
    told      how points stand, instant by instant
    instants  what that says to conditions
    rounds    gate, raw state and delays of many conditions at once
    published raises and returns, with flags and reasons
    plain     votes and interlocks, through `step`
    packed    the state as plain data
    exchange  the state as the twin's, and back (`standing`, `settled`)
"""

from __future__ import annotations

import numpy as np

from meltwatch.evaluate import exchange
from meltwatch.evaluate.columns import NEVER, PLAIN, Ints, columns_of, kind_of
from meltwatch.evaluate.judge import Member
from meltwatch.evaluate.lane import Lane
from meltwatch.evaluate.node import Entry, Node, Transition, node_of
from meltwatch.evaluate.packed import KernelState, pack, unpack
from meltwatch.evaluate.plan import Plan
from meltwatch.evaluate.signal import Turn
from meltwatch.evaluate.standing import node_at
from meltwatch.evaluate.step import Step
from meltwatch.evaluate.told import Rows
from meltwatch.evaluate.twin import Twin, TwinState
from meltwatch.model.condition import main_points
from meltwatch.model.ids import ConditionId, EpochId, PointCode, SourceId
from meltwatch.model.reason import Reason
from meltwatch.model.sample import SampleBatch

_LAYOUTS = 256
"""How many layouts of batches are remembered; a gateway uses one, or a few."""


class Kernel:
    """The conditions of one plant over the samples of its sources.

    `frontiers`: how far each source's samples are complete. `silent_until`: up to where each
    source's silence counts (less than its frontier only after a look ahead). `clock`: the latest
    instant that any record has told. `offline`: the conditions that the receiver's clock decides.
    """

    def __init__(self, plan: Plan, state: KernelState | None = None) -> None:
        """Take up a state of the same plan, or begin with one that has seen nothing."""
        self.plan = plan
        self.frontiers: dict[SourceId, int] = {}
        self.silent_until: dict[SourceId, int] = {}
        self.clock: int | None = None
        self.offline = {name: node_of(plan.plant.conditions[name]) for name in plan.offline}
        self.rank = {name: rank for rank, name in enumerate(plan.order)}
        self.lanes = _lanes_of(plan)
        self.where = {
            name: (lane, place) for lane, one in enumerate(self.lanes)
            for place, name in enumerate(one.columns.names)
        }  # fmt: skip
        self.layouts: dict[int, tuple[tuple[PointCode, ...], list[Ints | None]]] = {}
        if state is not None:
            unpack(state, self)

    @property
    def state(self) -> KernelState:
        """Return all that the kernel keeps, as plain data that shares nothing with it."""
        return pack(self)

    def clone(self) -> Kernel:
        """Return a kernel in the same state that shares nothing that changes."""
        twin = Kernel.__new__(Kernel)
        twin.plan, twin.rank, twin.where, twin.layouts = self.plan, self.rank, self.where, {}
        twin.frontiers, twin.silent_until = self.frontiers.copy(), self.silent_until.copy()
        twin.clock = self.clock
        twin.offline = {name: node.clone() for name, node in self.offline.items()}
        twin.lanes = [lane.clone() for lane in self.lanes]
        return twin

    def at(self, state: KernelState) -> Kernel:
        """Return a kernel of the same plan that stands as a state of it tells."""
        other = self.clone()
        unpack(state, other)
        return other

    def to_twin(self) -> TwinState:
        """Return the state as the twin keeps it; it shares nothing with this one."""
        return exchange.to_twin(self)

    @classmethod
    def from_twin(cls, plan: Plan, state: TwinState) -> Kernel:
        """Return a kernel that goes on from a state of the twin, which is left alone."""
        kernel = cls(plan)
        exchange.take_over(kernel, state)
        return kernel

    def adopt(self, plan: Plan) -> dict[ConditionId, int | None]:
        """Go on under another plan; return the raised conditions that it does not have any more.

        As `Twin.adopt`, through it: a change of configuration costs as much as the plant is large.
        """
        twin = Twin(self.plan, self.to_twin())
        gone = twin.adopt(plan)
        self.__dict__.update(Kernel.from_twin(plan, twin.state).__dict__)
        return gone

    # samples and coverage

    def feed(self, samples: SampleBatch, epoch: EpochId, seq: int) -> None:
        """Let samples wait for their coverage.

        Left out: points that the plan does not have, and instants that are decided already.
        (epoch, seq) names one batch: told twice, it must be told alike.
        """
        point, at, value, quality = samples.point, samples.at, samples.value, samples.quality
        for lane, places in zip(self.lanes, self._places_of(samples.layout), strict=True):
            if places is None:
                continue
            rows = Rows(places[point], at, value, quality)
            if (rows.point < 0).any():
                rows = rows.take(rows.point >= 0)
            lane.feed(epoch, seq, rows, _by_source(lane, self.frontiers))

    def advance(self, frontiers: dict[SourceId, int], *, stale: bool = True) -> list[Transition]:
        """Complete sources up to their new frontiers; return what was decided, in order.

        A frontier never goes back: a lesser one is no news. `stale` False leaves staleness out
        beyond the old frontiers, for a look ahead on a clone.
        """
        for source, frontier in frontiers.items():
            if source not in self.frontiers:
                for lane, place in self._reading(source):
                    lane.begin(place, frontier)
            elif frontier <= self.frontiers[source]:
                continue
            self.frontiers[source] = frontier
            if stale:
                self.silent_until[source] = frontier
        found: list[Transition] = []
        for lane in self.lanes:
            frontier_of_lane = self.reach(lane)
            if frontier_of_lane is not None:
                silent_until = _by_source(lane, self.silent_until)
                found += lane.advance(frontier_of_lane, silent_until, self._pass_on)
        found.sort(key=lambda one: (one.at, self.rank[one.condition]))
        return found

    def reach(self, lane: Lane) -> int | None:
        """Return up to where a lane can be decided: what no source decides, up to the clock."""
        if not lane.columns.sources:
            return self.clock
        reached = [self.frontiers.get(source) for source in lane.columns.sources]
        return None if None in reached else min(one for one in reached if one is not None)

    def pass_clock(self, clock: int) -> None:
        """Note the latest instant that any record has told."""
        self.clock = clock if self.clock is None else max(self.clock, clock)

    # marks

    def blind(self, source: SourceId, at: int) -> None:
        """From `at` on nothing is known of the source: an open hole begins.

        `at` is the first instant beyond the source's frontier; for a source that has none yet,
        one that its first frontier will reach.
        """
        self._mark(source, at, Turn.BLIND)

    def make_unknown(self, source: SourceId, at: int) -> None:
        """From `at` on (as for `blind`) its points are unknown until their next value."""
        self._mark(source, at, Turn.UNKNOWN)

    def make_afresh(self, source: SourceId, at: int) -> None:
        """Let `rate` and `stuck` of its points forget (at an instant as for `blind`)."""
        self._mark(source, at, Turn.AFRESH)

    def turn_offline(self, name: ConditionId, at: int, *, offline: bool) -> Transition:
        """Raise or return an `offline` condition; it is decided by the receiver's clock alone."""
        node = self.offline[name]
        node.raw, node.raised = offline, at if offline else None
        step = Step(name, self.plan.plant.conditions[name], node)
        step.tell(at)
        self._pass_on(name, step.heard)
        reason = Reason("offline", {"source": self.plan.offline[name]}) if offline else None
        return Transition(at, name, offline, (), reason)

    # what others ask

    def dues(self) -> list[int]:
        """Return the ends of all running on-delays, whatever the coverage: costs a look at all."""
        return [due for lane in self.lanes for due in lane.dues()]

    def first_due(self) -> int | None:
        """Return the least of `dues`, without a look at all of them; None: there is none."""
        first = min((lane.first_due() for lane in self.lanes), default=NEVER)
        return None if first == NEVER else first

    def is_raised(self, name: ConditionId) -> bool:
        """Return whether a condition is raised."""
        node = self.offline.get(name)
        if node is not None:
            return node.raised is not None
        lane, place = self.where[name]
        return self.lanes[lane].is_raised(place)

    def raised_at(self, name: ConditionId) -> int | None:
        """Return since when a condition is raised; None if it is not."""
        node = self.offline.get(name)
        if node is not None:
            return node.raised
        lane, place = self.where[name]
        return self.lanes[lane].raised_at(place)

    def until(self, name: ConditionId) -> int | None:
        """Return up to where a condition is decided, None before anything is.

        Not for those that the receiver's clock decides.
        """
        lane, place = self.where[name]
        return self.lanes[lane].until_at(place)

    def node(self, name: ConditionId) -> Node:
        """Return a condition as the twin keeps it, without the inputs of one in columns."""
        lane, place = self.where[name]
        return node_at(self.lanes[lane], place)

    def decided_until(self) -> dict[ConditionId, int | None]:
        """Return for each condition up to where it is decided (None: not at all yet).

        Without those that the receiver's clock decides.
        """
        return {
            name: until
            for lane in self.lanes
            for name, until in zip(lane.columns.names, lane.decided_until(), strict=True)
        }

    # inside

    def _mark(self, source: SourceId, at: int, turn: Turn) -> None:
        for lane, place in self._reading(source):
            lane.mark(place, at, turn, begun=source in self.frontiers)

    def _pass_on(self, name: ConditionId, heard: list[tuple[int, Member]]) -> None:
        for watcher, slot in self.plan.watchers[name]:
            lane, place = self.where[watcher]
            told: list[Entry] = [(at, slot, 0, 0.0, member) for at, member in heard]
            self.lanes[lane].plain.hear(place, told)

    def _reading(self, source: SourceId) -> list[tuple[Lane, int]]:
        """Return the lanes that read a source, each with the source's place there."""
        return [
            (lane, lane.columns.sources.index(source))
            for lane in self.lanes
            if source in lane.columns.sources
        ]

    def _places_of(self, layout: tuple[PointCode, ...]) -> list[Ints | None]:
        """Return for each lane where the codes of a layout stand (-1: nowhere); None: no code.

        Remembered by the layout itself, kept alive beside it: most batches bring one of a few.
        """
        known = self.layouts.get(id(layout))
        if known is None:
            if len(self.layouts) >= _LAYOUTS:
                self.layouts.clear()
            known = layout, [_places(lane, layout) for lane in self.lanes]
            self.layouts[id(layout)] = known
        return known[1]


def _lanes_of(plan: Plan) -> list[Lane]:
    """Return fresh lanes, those of fewer sources first: members before their readers."""
    shared: dict[frozenset[SourceId], list[ConditionId]] = {
        frozenset({source}): [] for source in plan.plant.sources
    }
    for name in plan.order:
        if name not in plan.offline:
            shared.setdefault(plan.sources[name], []).append(name)
    lanes = []
    places = {code: place for place, code in enumerate(plan.plant.points)}
    for sources, names in sorted(shared.items(), key=lambda one: len(one[0])):
        own = plan.points_of[next(iter(sources))] if len(sources) == 1 else ()
        # Alike beside alike, by point: what a batch touches then lies in runs of memory.
        names.sort(key=lambda name: _rank(plan, name, places))
        watched = np.array([bool(plan.watchers[name]) for name in names], dtype=np.bool_)
        lanes.append(Lane(columns_of(plan, sources, names, own), watched))
    return lanes


def _rank(plan: Plan, name: ConditionId, places: dict[PointCode, int]) -> tuple[int, int]:
    """Return kind and place of the point; votes and interlocks stay in the plan's order."""
    kind = kind_of(plan.plant.conditions[name])
    return kind, 0 if kind == PLAIN else places[main_points(plan.plant.conditions[name])[0]]


def _by_source(lane: Lane, told: dict[SourceId, int]) -> Ints:
    """Return the instant told of each of a lane's sources, before all others where none is."""
    return np.array([told.get(source, -NEVER) for source in lane.columns.sources], dtype=np.int64)


def _places(lane: Lane, layout: tuple[PointCode, ...]) -> Ints | None:
    place = lane.plain.place
    places = np.array([place.get(code, -1) for code in layout], dtype=np.int64)
    return places if (places >= 0).any() else None
