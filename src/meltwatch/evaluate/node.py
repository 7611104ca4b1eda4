"""The state of one condition, what it publishes, and how its readers see it.

State keeps instants (`since`, `due`), not counters, so it does not matter how time was cut.
"""

from __future__ import annotations

import copy

import msgspec

from meltwatch.evaluate.judge import Input, Member, Past
from meltwatch.model.condition import Base, Condition, Silent, Stuck, main_points, members
from meltwatch.model.ids import ConditionId
from meltwatch.model.reason import Reason

GATE_UNKNOWN = "gate_unknown"
LATE = "late"
NOT_APPLICABLE = "not_applicable"
TEST = "test"
UNCONFIRMED = "unconfirmed"


class Transition(msgspec.Struct, frozen=True):
    """A raise (`rises`) or a return of a condition, at its exact instant, with its flags.

    `reason`, for a raise: what was seen at that instant against which figures.
    """

    at: int
    condition: ConditionId
    rises: bool
    flags: tuple[str, ...] = ()
    reason: Reason | None = None


Entry = tuple[int, int, int, float, Member | None]
"""(instant, slot, turn, value, member) waiting to be applied to a node's inputs."""


class Node(msgspec.Struct):
    """The state of one condition, decided up to and including `frontier`.

    `raw` and `marked`: the raw state and its mark. `since`: the instant from which raw is true.
    `due`, `off_due`: the ends of a running on-delay and off-delay. `raised`: the instant of the
    raise while raised. `past`, `reference`: the memory of `rate` and `stuck`.
    """

    inputs: list[Input]
    members: list[Member]
    frontier: int | None = None
    inbox: list[Entry] = []
    open: bool = True
    raw: bool = False
    marked: bool = False
    since: int | None = None
    due: int | None = None
    off_due: int | None = None
    raised: int | None = None
    past: Past = []
    reference: float | None = None
    told: Member = Member()

    def carry_on(self, former: Node) -> None:
        """Take up the raise of a condition whose definition has changed: raised until ended."""
        self.told, self.frontier = former.told, former.frontier
        if former.raised is not None:
            self.raised, self.raw, self.since = former.raised, True, former.since
            self.reference = former.reference

    def clone(self) -> Node:
        """Return a copy that shares nothing that changes."""
        twin = copy.copy(self)
        twin.inputs = [copy.copy(one) for one in self.inputs]
        twin.members = self.members.copy()
        twin.inbox = self.inbox.copy()
        twin.past = self.past.copy()
        return twin


def node_of(condition: Condition) -> Node:
    """Return the node of a condition that has seen nothing: a gate never seen is open."""
    slots = len(main_points(condition)) + (condition.when is not None)
    return Node(
        inputs=[Input() for _ in range(slots)],
        members=[Member() for _ in members(condition)],
    )


def member_of(condition: Base, node: Node) -> Member:
    """Return a condition as its readers see it; outside its gate it is false and known."""
    if not node.open:
        return Member(raised=node.raised is not None)
    true = node.raised is not None if isinstance(condition, Stuck) else node.raw
    marked = node.marked and not isinstance(condition, Silent)
    return Member(true=true, marked=marked, raised=node.raised is not None)
