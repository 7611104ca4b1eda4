"""A risk model as versioned data: the floors under the colour, and who stands for it."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

from meltwatch.model.condition import Level
from meltwatch.model.instant import to_ms


class Colour(IntEnum):
    """The notice's four levels: 蓝 low, 黄 general, 橙 larger, 红 major risk. Greater is worse."""

    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4


ColourName = Literal["blue", "yellow", "orange", "red"]


class Floor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A floor: while its cause stands, the colour is at least this."""

    colour: ColourName

    @property
    def at_least(self) -> Colour:
        """Return the colour."""
        return Colour[self.colour.upper()]


class ConfirmedHazard(Floor, frozen=True, kw_only=True):
    """A confirmed item of order 10 is open."""


class InterlockFailed(Floor, frozen=True, kw_only=True):
    """An interlock failed to act (联锁拒动) and its case is not closed."""


class Level1Overdue(Floor, frozen=True, kw_only=True):
    """A level 1 case waits longer than this for 核实 or 处置, by the owner's clock."""

    verify_within_s: float
    handle_within_s: float

    @property
    def verify_ms(self) -> int:
        """Return the time for 核实, ms."""
        return to_ms(self.verify_within_s)

    @property
    def handle_ms(self) -> int:
        """Return the time for 处置, ms."""
        return to_ms(self.handle_within_s)


class CriticalSilent(Floor, frozen=True, kw_only=True):
    """A point whose `silent` (or a gateway whose `offline`) is at most this level stays away."""

    level_at_most: Level
    after_s: float

    @property
    def after_ms(self) -> int:
        """Return how long it may stay away, ms."""
        return to_ms(self.after_s)


class Floors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The override floors that a model has."""

    confirmed_hazard: ConfirmedHazard
    interlock_failed: InterlockFailed
    level1_overdue: Level1Overdue
    critical_silent: CriticalSilent


class RiskModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of a risk model.

    `official` False: this project's own default, and every screen says so. `hold_s`: how long a
    floor stays after its cause has gone, so that the colour does not flap.
    """

    id: str
    version: int
    official: bool
    effective_from: str
    source: str
    hold_s: float
    floors: Floors

    @property
    def hold_ms(self) -> int:
        """Return how long a floor stays after its cause has gone, ms."""
        return to_ms(self.hold_s)
