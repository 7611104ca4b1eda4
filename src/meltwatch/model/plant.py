"""A plant as the journey knows it: points, sources and conditions, frozen in a config record."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from meltwatch.model.condition import Condition
from meltwatch.model.ids import ConditionId, EnterpriseId, PointCode, SourceId, UnitId, in_unit
from meltwatch.model.instant import to_ms

Module = Literal["aluminium-dc", "steel"]


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measuring point: its unit, how soon it is stale, its range and its named states.

    `stale_s` None: the point is never unknown. `range` in the point's unit; a value outside is
    used, as uncertain. `source` names the gateway that brings it.
    """

    unit: str
    stale_s: float | None = None
    range: tuple[float, float] | None = None
    states: dict[int, str] | None = None
    source: SourceId = SourceId("")

    @property
    def stale_ms(self) -> int | None:
        """Return after how long without a value the point is unknown, ms."""
        return None if self.stale_s is None else to_ms(self.stale_s)


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gateway as a source of frames.

    `offline_s`: how long its live run may stand still, by the receiver's clock.
    `first_at`: the source's first instant, ms UTC; None: the complete_to of its first frame.
    `clock`: `live`, or `recorded` for a played file, whose instants are long past and so neither
    too old nor waited for under grace.
    """

    offline_s: float = 30.0
    clock: Literal["live", "recorded"] = "live"
    first_at: int | None = None

    @property
    def offline_ms(self) -> int:
        """Return after how long without an advance the source is offline, ms."""
        return to_ms(self.offline_s)


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the pure middle needs to know of an enterprise, as of one config record."""

    enterprise: EnterpriseId
    module: Module
    points: dict[PointCode, Point]
    conditions: dict[ConditionId, Condition]
    sources: dict[SourceId, Source]
    grace_s: float = 5.0

    @property
    def grace_ms(self) -> int:
        """Return how long an on-delay may end unpublished while coverage lags, ms."""
        return to_ms(self.grace_s)


class UnitTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A typed template: the points and conditions that every unit of the type has.

    Names inside are bare (`phase`, `mould_flow.L`); `instantiate` puts them into a unit.
    """

    points: dict[str, Point]
    conditions: dict[str, Condition]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """One unit's own value for one field of one condition, with who stands for it and why."""

    condition: str
    field: str
    value: float
    basis: str
    approver: str


Instance = tuple[dict[PointCode, Point], dict[ConditionId, Condition]]


def instantiate(
    template: UnitTemplate, unit: UnitId, source: SourceId, overrides: tuple[Override, ...] = ()
) -> Instance:
    """Return the points and conditions of one unit, their names made `unit/name`.

    Raises KeyError when an override names a condition that the template does not have.
    """
    points = {
        PointCode(in_unit(unit, name)): msgspec.structs.replace(point, source=source)
        for name, point in template.points.items()
    }
    own = dict(template.conditions)
    for override in overrides:
        changed: Any = {override.field: override.value}
        own[override.condition] = msgspec.structs.replace(own[override.condition], **changed)
    conditions = {
        ConditionId(in_unit(unit, name)): _placed(condition, unit)
        for name, condition in own.items()
    }
    return points, conditions


_REFERENCES = ("point", "of", "cause", "effects", "when")


def _placed(condition: Condition, unit: UnitId) -> Condition:
    """Return the condition with every name that it refers to put into the unit."""
    placed: dict[str, Any] = {
        name: _into(getattr(condition, name), unit)
        for name in _REFERENCES
        if getattr(condition, name, None) is not None
    }
    return msgspec.structs.replace(condition, **placed)


def _into(reference: Any, unit: UnitId) -> Any:
    if isinstance(reference, str):
        return in_unit(unit, reference)
    if isinstance(reference, tuple):
        return tuple(_into(one, unit) for one in reference)
    return msgspec.structs.replace(reference, point=in_unit(unit, reference.point))
