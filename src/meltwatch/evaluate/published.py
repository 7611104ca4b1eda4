"""What conditions in columns publish of their moves: raises with flags and reasons, returns."""

from __future__ import annotations

from meltwatch.evaluate.columns import RATE, Columns, Ints
from meltwatch.evaluate.instants import Instants, seen_at
from meltwatch.evaluate.judge import Input
from meltwatch.evaluate.node import (
    GATE_UNKNOWN,
    NOT_APPLICABLE,
    UNCONFIRMED,
    Node,
    Transition,
)
from meltwatch.evaluate.past import Past
from meltwatch.evaluate.reasons import reason_of
from meltwatch.evaluate.rounds import CLOSED, RAISED, Moves
from meltwatch.evaluate.told import Told


def transitions_of(
    columns: Columns, past: Past, who: Ints, told: Told, instants: Instants, moves: Moves
) -> list[Transition]:
    """Return the transitions of `moves`, one Python object each: they are few."""
    if not len(moves.at):
        return []
    seen = seen_at(instants, moves.owner, moves.at)
    rows = zip(
        who[moves.owner].tolist(), moves.at.tolist(), moves.how.tolist(), seen.tolist(), strict=True
    )
    found = []
    for move, (place, at, how, row) in enumerate(rows):
        if how == RAISED:
            node = _node(columns, past, place, told, instants, row, at)
            node.since, node.reference = int(moves.since[move]), float(moves.reference[move])
            reason = reason_of(columns.conditions[place], node)
            flags = _flags(told, instants, row)
            found.append(Transition(at, columns.names[place], True, flags, reason))
        else:
            flags = (NOT_APPLICABLE,) if how == CLOSED else ()
            found.append(Transition(at, columns.names[place], False, flags))
    return found


def _flags(told: Told, instants: Instants, row: int) -> tuple[str, ...]:
    gate = instants.gate[row]
    flags = [GATE_UNKNOWN] if gate >= 0 and (told.unknown[gate] or not told.has[gate]) else []
    if instants.marked[row]:
        flags.append(UNCONFIRMED)
    return tuple(flags)


def _node(
    columns: Columns, past: Past, place: int, told: Told, instants: Instants, row: int, at: int
) -> Node:
    """Return a node with what a reason tells of: values held, and what is remembered."""
    slots = (int(instants.main[row]), int(instants.second[row]))
    node = Node(inputs=[_input(told, slot) for slot in slots if slot >= 0], members=[])
    if columns.kind[place] == RATE:
        entries = past.entries(int(columns.main[place]), int(instants.begin[row]))
        node.past = [entry for entry in entries if entry[0] <= at]
    return node


def _input(told: Told, row: int) -> Input:
    return Input(float(told.value[row]) if told.has[row] else None)
