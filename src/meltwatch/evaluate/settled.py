"""Whether a node stands so that columns can tell it: nothing waits, and it is what it has read."""

from __future__ import annotations

from meltwatch.evaluate.judge import Input, Verdict, judge
from meltwatch.evaluate.node import Node, member_of
from meltwatch.model.condition import Condition, Rate, Silent, Stuck, main_points


def is_settled(condition: Condition, node: Node, inputs: list[Input], *, level: bool) -> bool:
    """Return whether a condition in columns would stand just so.

    `inputs`: how the points of its slots stand in its lane. `level`: it is decided as far.
    """
    if node.inbox or not level:
        return False
    if [str(one) for one in node.inputs] != [str(one) for one in inputs]:  # nan is nan
        return False
    if node.told != member_of(condition, node):
        return False
    main = inputs[: len(main_points(condition))]
    marked = any(one.marked for one in main) and not isinstance(condition, Silent)
    if node.marked is not (node.open and marked):
        return False
    return _agrees(condition, node)


def _agrees(condition: Condition, node: Node) -> bool:
    """Return whether the raw state is what the inputs say."""
    if not node.open:
        return not node.raw and node.raised is None
    if isinstance(condition, Rate | Stuck):
        return True
    match judge(condition, node.inputs, node.members, node.past):
        case Verdict.TRUE:
            return node.raw and node.off_due is None
        case Verdict.FALSE:
            return not node.raw and (node.raised is None or node.off_due is not None)
        case _:
            return True
