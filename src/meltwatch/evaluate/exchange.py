"""The kernel's state as the twin's, and back: for changes of configuration, and as an oracle.

The twin reads a point's samples as soon as its source is complete and lets conditions wait; a lane
lets the samples wait. So what lies between a lane's frontier and its sources' becomes entries in
inboxes on the way to the twin. On the way back, conditions with something in their inboxes go
through `step` until they have read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meltwatch.evaluate.columns import BEFORE, NEVER
from meltwatch.evaluate.lane import Lane
from meltwatch.evaluate.node import Node
from meltwatch.evaluate.signal import Event, Sample, Signal, Turn
from meltwatch.evaluate.standing import input_at, node_at, settle
from meltwatch.evaluate.told import Held, Rows
from meltwatch.evaluate.twin import TwinState
from meltwatch.evaluate.waiting import Waiting
from meltwatch.model.ids import EpochId, PointCode

if TYPE_CHECKING:
    from meltwatch.evaluate.kernel import Kernel


def to_twin(kernel: Kernel) -> TwinState:
    """Return a kernel's state as the twin keeps it."""
    signals: dict[PointCode, Signal] = {}
    nodes = {name: node.clone() for name, node in kernel.offline.items()}
    for lane in kernel.lanes:
        told = _read_ahead(kernel, lane)
        if len(lane.columns.sources) == 1:
            signals |= {code: signal for code, (signal, _) in told.items()}
        for place, name in enumerate(lane.columns.names):
            nodes[name] = _node_of(lane, place, told)
    plant = kernel.plan.plant
    return TwinState(
        signals={code: signals[code] for code in plant.points},
        nodes={name: nodes[name] for name in plant.conditions},
        frontiers=kernel.frontiers.copy(),
        clock=kernel.clock,
    )


def take_over(kernel: Kernel, state: TwinState) -> None:
    """Let a fresh kernel stand as a state of the twin tells."""
    # Silence up to here is told already, or (a point new to its source) with the next frontier.
    kernel.frontiers, kernel.silent_until = state.frontiers.copy(), {}
    kernel.clock = state.clock
    kernel.offline = {name: state.nodes[name].clone() for name in kernel.offline}
    kernel.lanes = [_lane_of(kernel, lane, state) for lane in kernel.lanes]


def _read_ahead(kernel: Kernel, lane: Lane) -> dict[PointCode, tuple[Signal, list[Event]]]:
    """Return each point as the twin has it, with what it has told beyond the lane's frontier."""
    samples: dict[int, list[Sample]] = {}
    for one in lane.waiting:
        columns = (one.rows.point, one.rows.at, one.rows.value, one.rows.quality)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for row, (point, at, value, quality) in enumerate(rows):
            order = (one.epoch, one.seq, row)
            samples.setdefault(point, []).append((at, order, value, quality))
    found = {}
    for place, code in enumerate(lane.columns.points):
        signal = _signal_of(lane, place, samples.get(place, []))
        source = int(lane.columns.source[place])
        name = lane.columns.sources[source]
        until = (kernel.frontiers.get(name, BEFORE), kernel.silent_until.get(name, BEFORE))
        events: list[Event] = []
        for at, marked, turn in sorted(lane.marks, key=lambda mark: mark[0]):
            if marked == source:
                events += _advanced(signal, (min(at - 1, until[0]), min(at - 1, until[1])))
                events += _marked(signal, at, Turn(turn))
        found[code] = signal, events + _advanced(signal, until)
    return found


def _advanced(signal: Signal, until: tuple[int, int]) -> list[Event]:
    """Return what a signal tells up to (its frontier, the end of what its silence proves)."""
    frontier, silent = until
    return signal.advance(min(until)) + signal.advance(frontier, stale=frontier <= silent)


def _marked(signal: Signal, at: int, turn: Turn) -> list[Event]:
    if (turn is Turn.UNKNOWN and signal.unknown) or (turn is Turn.BLIND and signal.blind):
        return []
    signal.unknown |= turn is Turn.UNKNOWN
    signal.blind |= turn is Turn.BLIND
    return [(at, turn, 0.0)]


def _signal_of(lane: Lane, place: int, waiting: list[Sample]) -> Signal:
    held, stale_ms = lane.held, int(lane.columns.stale_ms[place])
    last = int(held.last[place])
    return Signal(
        stale_ms=None if stale_ms == NEVER else stale_ms,
        last=None if last == BEFORE else last,
        value=float(held.value[place]) if held.has[place] else None,
        unknown=bool(held.unknown[place]),
        blind=bool(held.blind[place]),
        waiting=waiting,
    )


def _node_of(lane: Lane, place: int, told: dict[PointCode, tuple[Signal, list[Event]]]) -> Node:
    node = node_at(lane, place)
    slots = lane.plain.slots(place)
    waits = {slot for _, slot, _, _, member in node.inbox if member is None}
    for slot, code in enumerate(slots):
        if slot not in waits and place not in lane.unsettled:
            seen = input_at(lane, lane.plain.place[code])
            known = node.inputs[slot]
            if place not in lane.plain.nodes:
                node.inputs[slot] = seen
            elif (known.unknown, known.blind) == (seen.unknown, seen.blind):
                known.value = seen.value  # a calm value was not told: it is as good as the old one
        node.inbox += [(at, slot, turn, value, None) for at, turn, value in told[code][1]]
    return node


def _lane_of(kernel: Kernel, fresh: Lane, state: TwinState) -> Lane:
    columns = fresh.columns
    signals = [state.signals[code] for code in columns.points]
    held = Held(
        value=np.array(
            [0.0 if one.value is None else one.value for one in signals], dtype=np.float64
        ),
        has=np.array([one.value is not None for one in signals], dtype=np.bool_),
        unknown=np.array([one.unknown for one in signals], dtype=np.bool_),
        blind=np.array([one.blind for one in signals], dtype=np.bool_),
        last=np.array(
            [BEFORE if one.last is None else one.last for one in signals], dtype=np.int64
        ),
    )
    nodes = {place: state.nodes[name].clone() for place, name in enumerate(columns.names)}
    lane = Lane(columns, fresh.watched, held, None, nodes)
    lane.frontier = kernel.reach(lane)
    lane.waiting = _waiting_of(signals)
    settle(lane)
    return lane


def _waiting_of(signals: list[Signal]) -> list[Waiting]:
    batches: dict[tuple[EpochId, int], list[tuple[int, int, int, float, int]]] = {}
    for point, signal in enumerate(signals):
        for at, (epoch, seq, row), value, quality in signal.waiting:
            batches.setdefault((EpochId(epoch), seq), []).append((row, point, at, value, quality))
    return [
        Waiting(epoch, seq, _rows_of(sorted(rows)))
        for (epoch, seq), rows in sorted(batches.items())
    ]


def _rows_of(rows: list[tuple[int, int, int, float, int]]) -> Rows:
    _, point, at, value, quality = zip(*rows, strict=True)
    return Rows(
        np.array(point, dtype=np.int64),
        np.array(at, dtype=np.int64),
        np.array(value, dtype=np.float64),
        np.array(quality, dtype=np.uint16),
    )
