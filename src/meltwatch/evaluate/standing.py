"""How the points and conditions of a lane stand, one by one, as the twin keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meltwatch.evaluate.columns import BEFORE, PLAIN, RATE
from meltwatch.evaluate.judge import Input, Past
from meltwatch.evaluate.node import Node, member_of, node_of
from meltwatch.evaluate.rounds import read_node, write_node
from meltwatch.evaluate.settled import is_settled

if TYPE_CHECKING:
    from meltwatch.evaluate.lane import Lane


def input_at(lane: Lane, point: int) -> Input:
    """Return how a point stands."""
    held = lane.held
    value = float(held.value[point]) if held.has[point] else None
    return Input(value, bool(held.unknown[point]), bool(held.blind[point]))


def node_at(lane: Lane, place: int) -> Node:
    """Return a condition, without the inputs of one in columns; it shares nothing."""
    node = lane.plain.nodes.get(place)
    if node is not None:
        node = node.clone()
        node.frontier = lane.until(node)
        return node
    columns = lane.columns
    node = node_of(columns.conditions[place])
    read_node(lane.states, place, node)
    node.told = member_of(columns.conditions[place], node)
    node.frontier = lane.frontier
    if columns.kind[place] == RATE and node.open:
        begin = int(lane.states.begin[place])
        past = lane.moving.past.entries(int(columns.main[place]), begin)
        oldest = past[-1][0] - 2 * int(columns.window_ms[place]) if past else BEFORE
        node.past = [entry for entry in past if entry[0] >= oldest]
    return node


def settle(lane: Lane) -> None:
    """Take into columns whoever stands so that they can tell it."""
    columns, nodes = lane.columns, lane.plain.nodes
    pasts = _Pasts(lane)
    ready = [place for place in lane.unsettled if _is_ready(lane, place) and pasts.take(place)]
    if not ready:
        return
    for place in ready:
        write_node(lane.states, place, nodes.pop(place))
        lane.plain.awake.discard(place)
    pasts.join()
    who = np.array(ready)
    lane.part()
    lane.await_ends(who)
    lane.moving.settle(who, lane.states)
    seen = np.concatenate((columns.main[who], columns.second[who], columns.gate[who]))
    lane.set_bands(np.unique(seen[seen >= 0]))


def _is_ready(lane: Lane, place: int) -> bool:
    node = lane.plain.nodes[place]
    if lane.columns.kind[place] == PLAIN or node.inbox:
        return False
    inputs = [input_at(lane, lane.plain.place[code]) for code in lane.plain.slots(place)]
    level = lane.until(node) == lane.frontier
    return is_settled(lane.columns.conditions[place], node, inputs, level=level)


class _Pasts:
    """What rates that come into columns remember, brought together by point.

    Rates of one point share its ring. But one that is new, and was handed the held value, counts
    that as a value of the instant of the handing over: it stays out until that is forgotten.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.taken: set[int] = set()
        self.known: dict[int, dict[int, float]] = {}

    def take(self, place: int) -> bool:
        """Return whether a condition may come in; if so, a rate's memory is taken up."""
        lane, columns = self.lane, self.lane.columns
        if columns.kind[place] != RATE:
            return True
        past, point = lane.plain.nodes[place].past, int(columns.main[place])
        begin = BEFORE if lane.frontier is None else lane.frontier + 1
        begin = past[0][0] if past else begin
        if not self._fits(place, point, begin, past):
            return False
        self.known.setdefault(point, {}).update(past)
        self.taken.add(place)
        lane.states.begin[place] = begin
        return True

    def _fits(self, place: int, point: int, begin: int, past: Past) -> bool:
        """Return whether all rates of a point go on remembering what they do."""
        lane, columns = self.lane, self.lane.columns
        readers = columns.reader[columns.first[point] : columns.first[point + 1]]
        rates = readers[columns.kind[readers] == RATE].tolist()
        if set(rates) == {place}:
            return True
        known = self.known.get(point)
        if known is None:
            known = self.known[point] = dict(lane.moving.past.entries(point, BEFORE + 1))
        settled = (one for one in rates if lane.in_columns[one] or one in self.taken)
        others = [int(lane.states.begin[one]) for one in settled if one != place]
        told = {at for at, _ in past}
        new = told - known.keys()
        hidden = [at for at in known if at >= begin and at not in told]
        return not hidden and not any(at >= other for at in new for other in others)

    def join(self) -> None:
        """Let the rings hold all that was taken up."""
        flat = [(point, at, one) for point, past in self.known.items() for at, one in past.items()]
        if flat:
            point, at, value = (np.array(column) for column in zip(*flat, strict=True))
            self.lane.moving.rates.join(point, at, value.astype(np.float64))
