"""The fast engine of `high`, `low`, `state` and `silent`: all conditions at once, in columns.

Gives exactly the transitions that `twin` gives for the same conditions. Conditions that read the
same sources share a frontier and make a lane.

    columns   what never changes of a lane's conditions, and what they judge
    told      how points stand, instant by instant
    rounds    gate, raw state and delays of many conditions at once
    lane      what waits, what is calm, what must be decided exactly
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.errors import Bug
from meltwatch.evaluate.columns import NEVER, Columns, Ints, columns_of
from meltwatch.evaluate.lane import Lane, Waiting
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.plan import Plan
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.signal import Turn
from meltwatch.evaluate.told import Held, Rows
from meltwatch.model.condition import High, Low, Silent, State
from meltwatch.model.ids import ConditionId, EpochId, PointCode, SourceId
from meltwatch.model.sample import SampleBatch

KINDS = (High, Low, State, Silent)
_LAYOUTS = 256
"""How many layouts of batches are remembered; a gateway uses one, or a few."""


class WaitingState(msgspec.Struct, frozen=True):
    """A `Waiting`: `columns` are point (i8), at (i8), value (f8), quality (u2), little-endian."""

    epoch: EpochId
    seq: int
    columns: tuple[bytes, ...]


class LaneState(msgspec.Struct, frozen=True):
    """A lane's state as plain data, each column little-endian, in the order of its struct.

    `held` and `states`: the columns of `Held` and `States`. `marks`: (instant, place of the
    source, turn) that wait.
    """

    held: tuple[bytes, ...]
    states: tuple[bytes, ...]
    waiting: tuple[WaitingState, ...]
    marks: tuple[tuple[int, int, int], ...]


class KernelState(msgspec.Struct, frozen=True):
    """All that a kernel keeps, for the same plan and names.

    `frontiers`: how far each source's samples are complete. `silent_until`: up to where each
    source's silence counts (less than its frontier only after a look ahead).
    """

    frontiers: dict[SourceId, int]
    silent_until: dict[SourceId, int]
    lanes: tuple[LaneState, ...]


def eligible(plan: Plan) -> tuple[ConditionId, ...]:
    """Return the conditions that a kernel can take, in the plan's order.

    Those of its kinds that no vote and no interlock reads.
    """
    conditions = plan.plant.conditions
    return tuple(
        name
        for name in plan.order
        if isinstance(conditions[name], KINDS) and not plan.watchers[name]
    )


class Kernel:
    """Some conditions of one plant over the samples of its sources."""

    def __init__(
        self, plan: Plan, names: Collection[ConditionId], state: KernelState | None = None
    ) -> None:
        """Take up a state of the same plan and names, or begin with one that has seen nothing.

        Raises Bug for a condition that is not among `eligible`.
        """
        if wrong := sorted(set(names) - set(eligible(plan))):
            raise Bug(f"not for the kernel: {', '.join(wrong)}")
        self.plan = plan
        self.frontiers: dict[SourceId, int] = dict(state.frontiers) if state else {}
        self.silent_until: dict[SourceId, int] = dict(state.silent_until) if state else {}
        self.rank = {name: rank for rank, name in enumerate(plan.order)}
        wanted = set(names)
        shared: dict[frozenset[SourceId], list[ConditionId]] = {}
        for name in plan.order:
            if name in wanted:
                shared.setdefault(plan.sources[name], []).append(name)
        columns = [columns_of(plan, lane) for lane in shared.values()]
        kept = state.lanes if state else [None] * len(columns)
        self.lanes = [_lane_of(one, told) for one, told in zip(columns, kept, strict=True)]
        self.layouts: dict[int, tuple[tuple[PointCode, ...], list[Ints | None]]] = {}

    @property
    def state(self) -> KernelState:
        """Return all that the kernel keeps, as plain data."""
        return KernelState(
            frontiers=self.frontiers.copy(),
            silent_until=self.silent_until.copy(),
            lanes=tuple(_state_of(lane) for lane in self.lanes),
        )

    def clone(self) -> Kernel:
        """Return a kernel in the same state that shares nothing that changes."""
        twin = Kernel.__new__(Kernel)
        twin.plan, twin.rank, twin.layouts = self.plan, self.rank, {}
        twin.frontiers, twin.silent_until = self.frontiers.copy(), self.silent_until.copy()
        twin.lanes = [lane.clone() for lane in self.lanes]
        return twin

    def feed(self, samples: SampleBatch, epoch: EpochId, seq: int) -> None:
        """Let samples wait for their coverage.

        Left out: points that no condition here reads, and instants that are decided already.
        (epoch, seq) names one batch: told twice, it must be told alike.
        """
        for lane, places in zip(self.lanes, self._places_of(samples.layout), strict=True):
            if places is None:
                continue
            rows = Rows(places[samples.point], samples.at, samples.value, samples.quality)
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
            reached = [self.frontiers.get(source) for source in lane.columns.sources]
            if None not in reached:
                least = min(one for one in reached if one is not None)
                found += lane.advance(least, _by_source(lane, self.silent_until))
        found.sort(key=lambda one: (one.at, self.rank[one.condition]))
        return found

    def blind(self, source: SourceId, at: int) -> None:
        """From `at` on nothing is known of the source: an open hole begins.

        `at` is the first instant beyond the source's frontier; for a source that has none yet,
        one that its first frontier will reach.
        """
        self._mark(source, at, Turn.BLIND)

    def make_unknown(self, source: SourceId, at: int) -> None:
        """From `at` on (as for `blind`) its points are unknown until their next value."""
        self._mark(source, at, Turn.UNKNOWN)

    def dues(self) -> list[int]:
        """Return the ends of all running on-delays, whatever the coverage."""
        return [due for lane in self.lanes for due in lane.dues()]

    def _mark(self, source: SourceId, at: int, turn: Turn) -> None:
        for lane, place in self._reading(source):
            lane.mark(place, at, turn, begun=source in self.frontiers)

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


def _by_source(lane: Lane, told: dict[SourceId, int]) -> Ints:
    """Return the instant told of each of a lane's sources, before all others where none is."""
    return np.array([told.get(source, -NEVER) for source in lane.columns.sources], dtype=np.int64)


def _state_of(lane: Lane) -> LaneState:
    return LaneState(
        held=_bytes_of(lane.held),
        states=_bytes_of(lane.states),
        waiting=tuple(
            WaitingState(one.epoch, one.seq, _bytes_of(one.rows)) for one in lane.waiting
        ),
        marks=tuple(lane.marks),
    )


def _lane_of(columns: Columns, state: LaneState | None) -> Lane:
    if state is None:
        return Lane(columns)
    held = Held(*_arrays_of(state.held, ("<f8", "?", "?", "?", "<i8")))
    states = States(*_arrays_of(state.states, ("?", "?", "<i8", "<i8", "<i8", "<i8")))
    lane = Lane(columns, held, states)
    lane.waiting = [
        Waiting(one.epoch, one.seq, Rows(*_arrays_of(one.columns, ("<i8", "<i8", "<f8", "<u2"))))
        for one in state.waiting
    ]
    lane.marks = list(state.marks)
    return lane


def _bytes_of(told: Held | States | Rows) -> tuple[bytes, ...]:
    columns = [getattr(told, name) for name in told.__struct_fields__]
    return tuple(one.astype(one.dtype.newbyteorder("<")).tobytes() for one in columns)


def _arrays_of(columns: Sequence[bytes], kinds: Sequence[str]) -> Iterator[NDArray[Any]]:
    """Yield the columns as arrays of their own, that may be written."""
    for told, kind in zip(columns, kinds, strict=True):
        yield np.frombuffer(told, dtype=kind).copy()


def _places(lane: Lane, layout: tuple[PointCode, ...]) -> Ints | None:
    place = lane.place
    places = np.array([place.get(code, -1) for code in layout], dtype=np.int64)
    return places if (places >= 0).any() else None
