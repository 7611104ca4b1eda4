"""What stands under the colour: causes of the model's floors, now and soon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from meltwatch.alarm.occurrence import Occurrence
from meltwatch.handling.case import Case
from meltwatch.handling.progress import Move
from meltwatch.model.condition import Condition, Interlock, Offline, Silent
from meltwatch.model.ids import ConditionId
from meltwatch.model.reason import Params
from meltwatch.model.risk_model import Colour, Floor, RiskModel


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds the colour up.

    `id` stays the same while it is the same cause. `from_at`: from which instant it counts (it
    may lie ahead). `lower_key`: the key of what a person can do about it.
    """

    id: str
    key: str
    colour: Colour
    from_at: int
    params: Params
    lower_key: str


class Hazard(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed, open item of order 10: which, which article, since when, who confirmed."""

    id: str
    article: str
    since: int
    by: str


def causes_of(
    model: RiskModel,
    conditions: Mapping[ConditionId, Condition],
    occurrences: Iterable[Occurrence],
    cases: Iterable[Case],
    hazards: Iterable[Hazard],
) -> list[Cause]:
    """Return every cause that counts now or will if nothing changes, in a fixed order."""
    found: list[Cause] = []
    for case in cases:
        if case.open and isinstance(conditions.get(case.condition), Interlock):
            found.append(_interlock(model.floors.interlock_failed, case))
        if case.open and case.level == 1:
            found += _overdue(model, case)
    for one in occurrences:
        if one.active and isinstance(conditions.get(one.condition), Silent | Offline):
            found += _silent(model, one)
    found += [_hazard(model.floors.confirmed_hazard, hazard) for hazard in hazards]
    return sorted(found, key=lambda cause: (-cause.colour, cause.from_at, cause.id))


def _interlock(floor: Floor, case: Case) -> Cause:
    return Cause(
        id=f"interlock_failed/{case.id}",
        key="interlock_failed",
        colour=floor.at_least,
        from_at=case.opened_at,
        params={"condition": case.condition, "case": case.id},
        lower_key="close_interlock_case",
    )


def _overdue(model: RiskModel, case: Case) -> list[Cause]:
    floor = model.floors.level1_overdue
    if case.done_at(Move.HANDLE) is not None:
        return []
    waits_for, within = Move.HANDLE, floor.handle_ms
    if case.done_at(Move.VERIFY) is None and floor.verify_ms < floor.handle_ms:
        waits_for, within = Move.VERIFY, floor.verify_ms
    return [
        Cause(
            id=f"level1_overdue/{case.id}/{waits_for.value}",
            key="level1_overdue",
            colour=floor.at_least,
            from_at=case.opened_at + within,
            params={"condition": case.condition, "case": case.id, "step": waits_for.value},
            lower_key=f"{waits_for.value}_overdue_case",
        )
    ]


def _silent(model: RiskModel, one: Occurrence) -> list[Cause]:
    floor = model.floors.critical_silent
    if one.level > floor.level_at_most:
        return []
    return [
        Cause(
            id=f"critical_silent/{one.id}",
            key="critical_silent",
            colour=floor.at_least,
            from_at=one.raised + floor.after_ms,
            params={"condition": one.condition, "since": one.raised, "after_s": floor.after_s},
            lower_key="restore_point",
        )
    ]


def _hazard(floor: Floor, hazard: Hazard) -> Cause:
    return Cause(
        id=f"confirmed_hazard/{hazard.id}",
        key="confirmed_hazard",
        colour=floor.at_least,
        from_at=hazard.since,
        params={"hazard": hazard.id, "article": hazard.article},
        lower_key="rectify_hazard",
    )
