"""One condition through time: gate, raw state, delays, instant by instant.

Within an instant the order is that of `SEMANTICS`: samples and staleness (already applied to the
inputs), gate, raw state, timers. Readers of this condition are stepped after it.
"""

from __future__ import annotations

from meltwatch.evaluate.judge import (
    Member,
    Verdict,
    holds,
    judge,
    judge_afresh,
)
from meltwatch.evaluate.node import (
    GATE_UNKNOWN,
    NOT_APPLICABLE,
    UNCONFIRMED,
    Entry,
    Node,
    Transition,
    member_of,
)
from meltwatch.evaluate.reasons import reason_of
from meltwatch.evaluate.signal import Turn
from meltwatch.model.condition import (
    Condition,
    Interlock,
    Rate,
    Silent,
    Stuck,
    Vote,
    main_points,
)
from meltwatch.model.ids import ConditionId


class Step:
    """The advance of one node over its inbox: collects transitions and what readers must hear."""

    def __init__(self, name: ConditionId, condition: Condition, node: Node) -> None:
        """Bind the condition to its state."""
        self.name = name
        self.condition = condition
        self.node = node
        self.transitions: list[Transition] = []
        self.heard: list[tuple[int, Member]] = []

    def until(self, frontier: int) -> None:
        """Decide every instant up to and including `frontier`, in order."""
        node = self.node
        inbox = sorted(node.inbox, key=lambda entry: entry[0])
        place = 0
        while True:
            timers = [one for one in (node.due, node.off_due) if one is not None]
            coming = [inbox[place][0]] if place < len(inbox) else []
            at = min(timers + coming, default=None)
            if at is None or at > frontier:
                break
            fresh: set[int] = set()
            touched = place
            while place < len(inbox) and inbox[place][0] <= at:
                self._apply(inbox[place], fresh)
                place += 1
            self._instant(at, touched=place > touched, fresh=fresh)
        node.inbox = inbox[place:]
        node.frontier = frontier

    def _apply(self, entry: Entry, fresh: set[int]) -> None:
        _, slot, turn, value, member = entry
        if member is not None:
            self.node.members[slot] = member
            return
        seen = self.node.inputs[slot]
        if turn == Turn.VALUE:
            seen.value, seen.unknown, seen.blind = value, False, False
            fresh.add(slot)
        elif turn == Turn.UNKNOWN:
            seen.unknown = True
        elif turn == Turn.BLIND:
            seen.blind = True
        elif slot == 0 and isinstance(self.condition, Rate):
            self.node.past = []
        elif slot == 0 and isinstance(self.condition, Stuck) and self.node.raised is None:
            self.node.reference = self.node.since = self.node.due = None

    def _instant(self, at: int, *, touched: bool, fresh: set[int]) -> None:
        node = self.node
        was_open, node.open = node.open, self._gate_open()
        if not node.open:
            if was_open:
                self._close_gate(at)
        elif not was_open:
            self._open_gate(at, fresh)
        elif touched:
            self._settle(at, fresh)
        self._run_out(at)
        self.tell(at)

    # gate

    def _gate_open(self) -> bool:
        gate = self.condition.when
        return gate is None or self._gate_unknown() or holds(gate, self.node.inputs[-1])

    def _gate_unknown(self) -> bool:
        if self.condition.when is None:
            return False
        seen = self.node.inputs[-1]
        return seen.unknown or seen.value is None

    def _close_gate(self, at: int) -> None:
        node = self.node
        if node.raised is not None:
            self._return(at, (NOT_APPLICABLE,))
        node.raw = node.marked = False
        node.since = node.due = node.off_due = node.reference = None
        node.past = []

    def _open_gate(self, at: int, fresh: set[int]) -> None:
        node, condition = self.node, self.condition
        node.marked = self._is_marked()
        if isinstance(condition, Stuck):
            if not node.inputs[0].unknown and node.inputs[0].value is not None:
                self._refer(node.inputs[0].value, at)
            return
        if isinstance(condition, Rate):
            self._remember(at, fresh)
        node.raw = judge_afresh(condition, node.inputs, node.members) is Verdict.TRUE
        if node.raw:
            node.since, node.due = at, at + condition.on_delay_ms

    # raw state

    def _settle(self, at: int, fresh: set[int]) -> None:
        node, condition = self.node, self.condition
        if isinstance(condition, Stuck):
            self._settle_stuck(condition, at, fresh)
            return
        if isinstance(condition, Rate):
            self._remember(at, fresh)
            if 0 not in fresh and not node.inputs[0].marked:
                return
        verdict = judge(condition, node.inputs, node.members, node.past)
        node.marked = verdict is Verdict.UNDECIDED
        if verdict is Verdict.UNDECIDED:
            node.off_due = None  # unknown clears nothing: the next known false begins it anew
        elif verdict is Verdict.TRUE or (verdict is Verdict.KEEP and node.raw):
            self._turn_true(at)
        elif verdict is not Verdict.LEAVE:
            self._turn_false(at)

    def _turn_true(self, at: int) -> None:
        node = self.node
        node.off_due = None
        if not node.raw:
            node.raw, node.since = True, at
            if node.raised is None:
                node.due = at + self.condition.on_delay_ms

    def _turn_false(self, at: int) -> None:
        node = self.node
        node.raw, node.since, node.due = False, None, None
        if node.raised is not None and node.off_due is None:
            node.off_due = at + self.condition.off_delay_ms

    def _remember(self, at: int, fresh: set[int]) -> None:
        node, condition = self.node, self.condition
        assert isinstance(condition, Rate)
        value = node.inputs[0].value
        if 0 in fresh and value is not None:
            oldest = at - 2 * condition.window_ms
            node.past = [one for one in node.past if one[0] >= oldest]
            node.past.append((at, value))

    def _settle_stuck(self, stuck: Stuck, at: int, fresh: set[int]) -> None:
        node = self.node
        seen = node.inputs[0]
        node.marked = seen.marked
        if seen.unknown and node.raised is None:
            node.reference = node.since = node.due = None
        elif 0 in fresh and seen.value is not None:
            if node.reference is None and node.raised is not None:
                node.reference = seen.value  # raised under another definition: this one ends it
            elif node.reference is None:
                self._refer(seen.value, at)
            elif abs(seen.value - node.reference) > stuck.band:
                if node.raised is not None:
                    node.off_due = at
                self._refer(seen.value, at)

    def _refer(self, value: float, at: int) -> None:
        node = self.node
        node.reference, node.since, node.due = value, at, at + self.condition.on_delay_ms

    # timers

    def _run_out(self, at: int) -> None:
        node = self.node
        if node.off_due == at:
            self._return(at, ())
        if node.due == at:
            node.due, node.raised = None, at
            reason = reason_of(self.condition, node)
            self.transitions.append(Transition(at, self.name, True, self._flags(), reason))

    def _return(self, at: int, flags: tuple[str, ...]) -> None:
        self.node.off_due = self.node.raised = None
        self.transitions.append(Transition(at, self.name, False, flags))

    def _flags(self) -> tuple[str, ...]:
        flags = [GATE_UNKNOWN] if self._gate_unknown() else []
        if self._unconfirmed():
            flags.append(UNCONFIRMED)
        return tuple(flags)

    def _unconfirmed(self) -> bool:
        node, condition = self.node, self.condition
        match condition:
            case Silent():
                return False
            case Vote():
                counted = [one for one in node.members if one.true or condition.unknown_counts]
                return node.marked or any(one.marked for one in counted)
            case Interlock():
                return any(seen.marked for seen in node.inputs[: len(condition.effects)])
            case _:
                return node.marked

    def _is_marked(self) -> bool:
        node, condition = self.node, self.condition
        if isinstance(condition, Vote):
            return judge(condition, [], node.members, []) is Verdict.UNDECIDED
        if isinstance(condition, Silent | Interlock):
            return False
        return any(seen.marked for seen in node.inputs[: len(main_points(condition))])

    # readers

    def tell(self, at: int) -> None:
        """Note for the readers what has changed at `at`."""
        told = member_of(self.condition, self.node)
        if told != self.node.told:
            self.node.told = told
            self.heard.append((at, told))
