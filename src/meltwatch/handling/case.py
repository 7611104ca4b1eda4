"""A case and what can be told of it."""

from __future__ import annotations

import msgspec

from meltwatch.handling.progress import Move, Progress, after
from meltwatch.model.condition import Level
from meltwatch.model.ids import CaseId, ConditionId, OccurrenceId


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did at a case: who, when (owner's clock), and the words given."""

    move: Move
    by: str
    at: int
    words: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """People's work on the occurrences of one condition, from the first to 消警.

    `opened_at`: the owner's clock when the first occurrence became visible; `level`: the gravest
    of its occurrences; `deeds` in order: they are never overwritten.
    """

    id: CaseId
    condition: ConditionId
    level: Level
    opened_at: int
    occurrences: tuple[OccurrenceId, ...]
    progress: Progress = Progress.OPEN
    deeds: tuple[Deed, ...] = ()
    closed_at: int | None = None

    @property
    def open(self) -> bool:
        """Return whether people still have work here."""
        return self.progress not in (Progress.CLOSED, Progress.VOID)

    def done_at(self, move: Move) -> int | None:
        """Return when a step was last taken; None if never."""
        return next((deed.at for deed in reversed(self.deeds) if deed.move is move), None)

    def move(self, deed: Deed) -> Case:
        """Return the case after a deed.

        Raises CommandRefused when its progress does not allow that.
        """
        progress = after(self.progress, deed.move)
        closed_at = None if progress is not Progress.CLOSED else deed.at
        return msgspec.structs.replace(
            self, progress=progress, deeds=(*self.deeds, deed), closed_at=closed_at
        )


class CaseEvent(msgspec.Struct, frozen=True, kw_only=True, tag="case"):
    """Something happened to a case: it stands like this after it."""

    told_at: int
    case: Case
