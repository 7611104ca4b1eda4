"""An occurrence and what can be told of it."""

from __future__ import annotations

from enum import Enum

import msgspec

from meltwatch.alarm.standing import Happens, Standing, after
from meltwatch.model.condition import Level
from meltwatch.model.ids import ConditionId, OccurrenceId
from meltwatch.model.reason import Reason


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One raise of a condition, from `raised` to `returned` (None while raised), ms UTC.

    `flags` sorted. `visible_at`: the owner's clock when it was published: deadlines run from
    there. `reason`: why it was raised, as data. `graced`: published under grace, where samples
    have not proven it yet.
    """

    id: OccurrenceId
    condition: ConditionId
    level: Level
    raised: int
    returned: int | None
    flags: tuple[str, ...]
    visible_at: int
    standing: Standing
    reason: Reason | None = None
    graced: bool = False

    @property
    def active(self) -> bool:
        """Return whether the condition is raised as far as is known."""
        return self.returned is None and self.standing is not Standing.WITHDRAWN

    @property
    def settled(self) -> bool:
        """Return whether nothing more is asked of anyone here."""
        return self.standing in (Standing.NORMAL, Standing.WITHDRAWN)

    def happen(self, happens: Happens) -> Occurrence:
        """Return the occurrence after something has happened to it.

        Raises CommandRefused when its standing does not allow that.
        """
        return msgspec.structs.replace(self, standing=after(self.standing, happens))

    def overlaps(self, raised: int, returned: int | None) -> bool:
        """Return whether it shares an instant with `[raised, returned)`, open ends included."""
        if self.raised == raised:
            return True
        begins_before = returned is None or self.raised < returned
        return begins_before and (self.returned is None or raised < self.returned)


class Told(Enum):
    """What an alarm event tells."""

    RAISED = "raised"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"


class AlarmEvent(msgspec.Struct, frozen=True, kw_only=True, tag="alarm"):
    """Something was published of an occurrence, as it stands after it.

    `told_at`: the owner's clock. `sounds`: the horn, for what is new and still active.
    """

    told: Told
    told_at: int
    occurrence: Occurrence
    by: str = ""

    @property
    def sounds(self) -> bool:
        """Return whether the horn has to sound: one already returned makes no sound."""
        return self.told is Told.RAISED and self.occurrence.active
