"""Conditions: the ten kinds, as typed data. What each means is in `evaluate`.

Field names are those of a plant file (`in`, `as` are Python words, so they are renamed on the
wire). Delays are seconds. `level` runs from 1 (重大) to 4 (提示).
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from meltwatch.model.ids import ConditionId, PointCode, SourceId
from meltwatch.model.instant import to_ms

Level = Literal[1, 2, 3, 4]
Side = Literal["high", "low"]


class PointIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A point and the set of values that count: a gate (`when`) or an effect of an interlock."""

    point: PointCode
    values: tuple[float, ...] = msgspec.field(name="in")


class Base(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What every condition has: its level, and a gate outside which it does not apply."""

    level: Level
    when: PointIn | None = None

    @property
    def on_delay_ms(self) -> int:
        """Return how long the raw state must hold before the raise, ms."""
        return 0

    @property
    def off_delay_ms(self) -> int:
        """Return how long the raw state must be gone before the return, ms."""
        return 0


class Delayed(Base, frozen=True, kw_only=True):
    """A condition with an on-delay and an off-delay, seconds."""

    on_delay_s: float = 0.0
    off_delay_s: float = 0.0

    @property
    def on_delay_ms(self) -> int:
        """Return the on-delay, ms."""
        return to_ms(self.on_delay_s)

    @property
    def off_delay_ms(self) -> int:
        """Return the off-delay, ms."""
        return to_ms(self.off_delay_s)


class High(Delayed, frozen=True, kw_only=True, tag="high"):
    """True from `value >= limit`, false from `value < limit - deadband`."""

    point: PointCode
    limit: float
    deadband: float = 0.0


class Low(Delayed, frozen=True, kw_only=True, tag="low"):
    """True from `value <= limit`, false from `value > limit + deadband`."""

    point: PointCode
    limit: float
    deadband: float = 0.0


class State(Delayed, frozen=True, kw_only=True, tag="state"):
    """True while the value is in the set."""

    point: PointCode
    values: tuple[float, ...] = msgspec.field(name="in")


class Difference(Delayed, frozen=True, kw_only=True, tag="difference"):
    """`held a - held b` as high or low; unknown while either is."""

    of: tuple[PointCode, PointCode]
    side: Side = msgspec.field(name="as")
    limit: float
    deadband: float = 0.0


class Rate(Delayed, frozen=True, kw_only=True, tag="rate"):
    """Change per second over `window_s` at each value, as high or low."""

    point: PointCode
    side: Side = msgspec.field(name="as")
    limit: float
    window_s: float
    deadband: float = 0.0

    @property
    def window_ms(self) -> int:
        """Return the window, ms."""
        return to_ms(self.window_s)


class Stuck(Base, frozen=True, kw_only=True, tag="stuck"):
    """Every value stays within `band` of a reference for `on_delay_s`."""

    point: PointCode
    band: float
    on_delay_s: float

    @property
    def on_delay_ms(self) -> int:
        """Return how long the point must not move, ms."""
        return to_ms(self.on_delay_s)


class Vote(Delayed, frozen=True, kw_only=True, tag="vote"):
    """At least `m` members are true."""

    of: tuple[ConditionId, ...]
    m: int
    unknown_counts: bool = False


class Silent(Base, frozen=True, kw_only=True, tag="silent"):
    """The point is unknown."""

    point: PointCode


class Offline(Base, frozen=True, kw_only=True, tag="offline"):
    """The source's live run has not advanced for its `offline_s`, by the receiver's clock."""

    source: SourceId | None = None


class Interlock(Base, frozen=True, kw_only=True, tag="interlock"):
    """The cause is raised and the effects are not all true together within `within_s`."""

    cause: ConditionId
    effects: tuple[PointIn, ...]
    within_s: float

    @property
    def on_delay_ms(self) -> int:
        """Return the time that the effects have, ms."""
        return to_ms(self.within_s)


Condition = High | Low | State | Difference | Rate | Stuck | Vote | Silent | Offline | Interlock
KINDS: tuple[type[Base], ...] = get_args(Condition)


def main_points(condition: Condition) -> tuple[PointCode, ...]:
    """Return the points whose values a condition judges, its gate left out."""
    match condition:
        case Difference():
            return condition.of
        case Interlock():
            return tuple(effect.point for effect in condition.effects)
        case Vote() | Offline():
            return ()
        case _:
            return (condition.point,)


def members(condition: Condition) -> tuple[ConditionId, ...]:
    """Return the conditions that a condition reads: a vote's members, an interlock's cause."""
    match condition:
        case Vote():
            return condition.of
        case Interlock():
            return (condition.cause,)
        case _:
            return ()
