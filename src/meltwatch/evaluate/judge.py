"""What each kind says of the values that it reads at one instant: a verdict, nothing kept.

The rules are those of the table of conditions in `SEMANTICS`; comparisons are on float64 as
they are, `limit - deadband` computed as written.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from meltwatch.model.condition import (
    Condition,
    Difference,
    High,
    Interlock,
    Low,
    PointIn,
    Rate,
    Side,
    Silent,
    State,
    Stuck,
    Vote,
)


class Verdict(Enum):
    """What the raw state becomes.

    `KEEP`: inside the deadband, known, as it was. `LEAVE`: as it was, and it starts no off-delay.
    `UNDECIDED`: as it was, marked unknown.
    """

    TRUE = "true"
    FALSE = "false"
    KEEP = "keep"
    LEAVE = "leave"
    UNDECIDED = "undecided"


class Input(msgspec.Struct):
    """A point as one condition sees it at its frontier; `value` None before the first one."""

    value: float | None = None
    unknown: bool = False
    blind: bool = False

    @property
    def marked(self) -> bool:
        """Return whether what is decided on it now must be marked."""
        return self.unknown or self.blind


class Member(msgspec.Struct, frozen=True):
    """A condition as its votes and interlocks see it.

    `true`: counts as true (raw, or raised for `stuck`), inside its gate. `marked`: marked unknown.
    """

    true: bool = False
    marked: bool = False
    raised: bool = False

    @property
    def unknown(self) -> bool:
        """Return whether a vote counts it as unknown."""
        return self.marked and not self.true


Past = list[tuple[int, float]]
"""A `rate`'s earlier values, oldest first: (instant, value)."""


def judge(condition: Condition, inputs: list[Input], members: list[Member], past: Past) -> Verdict:
    """Return the verdict of any kind but `stuck`, which is its own memory (see `node`)."""
    match condition:
        case Vote():
            return _vote(condition, members)
        case Interlock():
            lit = members[0].raised and not effects_together(condition, inputs)
            return Verdict.TRUE if lit else Verdict.FALSE
        case Silent():
            return Verdict.TRUE if inputs[0].unknown else Verdict.FALSE
        case _:
            own = inputs[:2] if isinstance(condition, Difference) else inputs[:1]
            if any(one.marked for one in own):
                return Verdict.UNDECIDED
            return _by_value(condition, own, past)


def judge_afresh(condition: Condition, inputs: list[Input], members: list[Member]) -> Verdict:
    """Return TRUE or FALSE for a gate's opening, from the values held, known or not.

    Inside the deadband: false. `rate` is false until a value has an earlier one to compare with.
    """
    match condition:
        case Vote() | Interlock() | Silent():
            verdict = judge(condition, inputs, members, [])
        case Rate() | Stuck():
            verdict = Verdict.FALSE
        case _:
            own = inputs[:2] if isinstance(condition, Difference) else inputs[:1]
            verdict = _by_value(condition, own, [])
    return Verdict.TRUE if verdict is Verdict.TRUE else Verdict.FALSE


def effects_together(lock: Interlock, inputs: list[Input]) -> bool:
    """Return whether all effects are true at once; an unknown effect is not true."""
    return all(holds(effect, seen) for effect, seen in zip(lock.effects, inputs, strict=False))


def holds(wanted: PointIn, seen: Input) -> bool:
    """Return whether the point's known value is in the set."""
    return not seen.unknown and seen.value in wanted.values


def _vote(vote: Vote, members: list[Member]) -> Verdict:
    true = sum(member.true for member in members)
    unknown = sum(member.unknown for member in members)
    if true >= vote.m or (vote.unknown_counts and true + unknown >= vote.m):
        return Verdict.TRUE
    return Verdict.FALSE if true + unknown < vote.m else Verdict.UNDECIDED


def _by_value(condition: Condition, own: list[Input], past: Past) -> Verdict:
    values = [one.value for one in own]
    if None in values:
        return Verdict.FALSE
    first = values[0]
    assert first is not None
    match condition:
        case High(limit=limit, deadband=deadband):
            return _against("high", first, limit, deadband)
        case Low(limit=limit, deadband=deadband):
            return _against("low", first, limit, deadband)
        case State(values=wanted):
            return Verdict.TRUE if first in wanted else Verdict.FALSE
        case Difference(side=side, limit=limit, deadband=deadband):
            second = values[1]
            assert second is not None
            return _against(side, first - second, limit, deadband)
        case Rate(side=side, limit=limit, deadband=deadband):
            per_second = slope(condition, past)
            if per_second is None:
                return Verdict.LEAVE
            return _against(side, per_second, limit, deadband)
        case _:
            raise AssertionError(condition)


def _against(side: Side, value: float, limit: float, deadband: float) -> Verdict:
    if side == "high":
        if value >= limit:
            return Verdict.TRUE
        return Verdict.FALSE if value < limit - deadband else Verdict.KEEP
    if value <= limit:
        return Verdict.TRUE
    return Verdict.FALSE if value > limit + deadband else Verdict.KEEP


def slope(rate: Rate, past: Past) -> float | None:
    """Return the change per second at the last value of `past`; None without an earlier one.

    The earlier one is the latest at or before a window ago, not older than two windows.
    """
    at, value = past[-1]
    for earlier, then in reversed(past[:-1]):
        if earlier <= at - rate.window_ms:
            if earlier < at - 2 * rate.window_ms:
                return None
            return (value - then) / ((at - earlier) / 1000)
    return None
