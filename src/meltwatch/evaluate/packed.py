"""The kernel's state as plain data: a few big columns of bytes, little-endian."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.evaluate.lane import Lane
from meltwatch.evaluate.node import Node
from meltwatch.evaluate.past import PastState
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.standing import node_at
from meltwatch.evaluate.told import Held, Rows
from meltwatch.evaluate.waiting import Waiting
from meltwatch.model.ids import ConditionId, EpochId, SourceId

if TYPE_CHECKING:
    from meltwatch.evaluate.kernel import Kernel

_HELD = ("<f8", "?", "?", "?", "<i8")
_STATES = ("?", "?", "?", "<i8", "<i8", "<i8", "<i8", "<f8", "?", "<i8")
_ROWS = ("<i8", "<i8", "<f8", "<u2")


class WaitingState(msgspec.Struct, frozen=True):
    """A `Waiting`: `columns` are point (i8), at (i8), value (f8), quality (u2)."""

    epoch: EpochId
    seq: int
    columns: tuple[bytes, ...]


class LaneState(msgspec.Struct, frozen=True):
    """A lane's state as plain data, each column in the order of its struct.

    `held` and `states`: the columns of `Held` and `States`. `nodes`: those that go through `step`,
    by place. `marks`: (instant, place of the source, turn) that wait.
    """

    held: tuple[bytes, ...]
    states: tuple[bytes, ...]
    past: PastState
    nodes: dict[int, Node]
    waiting: tuple[WaitingState, ...]
    marks: tuple[tuple[int, int, int], ...]
    frontier: int | None


class KernelState(msgspec.Struct, frozen=True):
    """All that a kernel keeps, for the same plan; as told of `Kernel`."""

    frontiers: dict[SourceId, int]
    silent_until: dict[SourceId, int]
    clock: int | None
    offline: dict[ConditionId, Node]
    lanes: tuple[LaneState, ...]


def pack(kernel: Kernel) -> KernelState:
    """Return a kernel's state, sharing nothing with it."""
    return KernelState(
        frontiers=kernel.frontiers.copy(),
        silent_until=kernel.silent_until.copy(),
        clock=kernel.clock,
        offline={name: node.clone() for name, node in kernel.offline.items()},
        lanes=tuple(_state_of(lane) for lane in kernel.lanes),
    )


def unpack(state: KernelState, kernel: Kernel) -> None:
    """Let a fresh kernel of the same plan stand as a state tells."""
    kernel.frontiers = state.frontiers.copy()
    kernel.silent_until = state.silent_until.copy()
    kernel.clock = state.clock
    kernel.offline = {name: node.clone() for name, node in state.offline.items()}
    kernel.lanes = [
        _lane_of(lane, told) for lane, told in zip(kernel.lanes, state.lanes, strict=True)
    ]


def _state_of(lane: Lane) -> LaneState:
    return LaneState(
        held=_bytes_of(lane.held),
        states=_bytes_of(lane.states),
        past=lane.moving.past.pack(),
        nodes={place: node_at(lane, place) for place in lane.plain.nodes},
        waiting=tuple(
            WaitingState(one.epoch, one.seq, _bytes_of(one.rows)) for one in lane.waiting
        ),
        marks=tuple(lane.marks),
        frontier=lane.frontier,
    )


def _lane_of(fresh: Lane, state: LaneState) -> Lane:
    held = Held(*_arrays_of(state.held, _HELD))
    states = States(*_arrays_of(state.states, _STATES))
    nodes = {place: node.clone() for place, node in state.nodes.items()}
    lane = Lane(fresh.columns, fresh.watched, held, states, nodes, state.past)
    lane.waiting = [
        Waiting(one.epoch, one.seq, Rows(*_arrays_of(one.columns, _ROWS))) for one in state.waiting
    ]
    lane.marks = list(state.marks)
    lane.frontier = state.frontier
    return lane


def _bytes_of(told: Held | States | Rows) -> tuple[bytes, ...]:
    columns = [getattr(told, name) for name in told.__struct_fields__]
    return tuple(one.astype(one.dtype.newbyteorder("<")).tobytes() for one in columns)


def _arrays_of(columns: Sequence[bytes], kinds: Sequence[str]) -> Iterator[NDArray[Any]]:
    """Yield the columns as arrays of their own, that may be written."""
    for told, kind in zip(columns, kinds, strict=True):
        yield np.frombuffer(told, dtype=kind).copy()
