"""What a plant may not be: every breach at once, each with its place and the fix's key."""

from __future__ import annotations

import math
from collections.abc import Iterator

from meltwatch.errors import Problem
from meltwatch.model.condition import (
    Base,
    Condition,
    Difference,
    High,
    Interlock,
    Low,
    Offline,
    PointIn,
    Rate,
    Silent,
    State,
    Stuck,
    Vote,
    main_points,
    members,
)
from meltwatch.model.ids import ConditionId, PointCode
from meltwatch.model.plant import Plant


def problems_of(plant: Plant) -> list[Problem]:
    """Return every reason to refuse the plant; empty when it is sound."""
    found = [problem for code in plant.points for problem in _of_point(plant, code)]
    for gateway, source in plant.sources.items():
        if not (math.isfinite(source.offline_s) and source.offline_s > 0):
            found.append(Problem(f"sources/{gateway}/offline_s", "not_positive"))
    if not (math.isfinite(plant.grace_s) and plant.grace_s >= 0):
        found.append(Problem("grace_s", "negative"))
    for name, condition in plant.conditions.items():
        found += _of_references(plant, name, condition)
        found += _of_sets(plant, name, condition)
        found += _of_figures(name, condition)
    found += _of_cycles(plant)
    if not found:
        for name, condition in plant.conditions.items():
            if isinstance(condition, Interlock):
                found += _of_interlock(plant, name, condition)
    return found


def _of_point(plant: Plant, code: PointCode) -> Iterator[Problem]:
    point = plant.points[code]
    if point.source not in plant.sources:
        yield Problem(f"points/{code}/source", "unknown_source", {"source": point.source})
    if point.range is not None and not -math.inf < point.range[0] < point.range[1] < math.inf:
        yield Problem(f"points/{code}/range", "range_reversed")
    if point.stale_s is not None and not (point.stale_s > 0 and (point.stale_ms or 0) >= 1):
        yield Problem(f"points/{code}/stale_s", "not_positive", {"value": point.stale_s})


def _of_references(plant: Plant, name: ConditionId, condition: Condition) -> Iterator[Problem]:
    place = f"conditions/{name}"
    points = [*main_points(condition), *([condition.when.point] if condition.when else [])]
    for point in points:
        if point not in plant.points:
            yield Problem(place, "unknown_point", {"point": point})
    for member in members(condition):
        if member not in plant.conditions:
            yield Problem(place, "unknown_condition", {"condition": member})
        elif isinstance(plant.conditions[member], Interlock):
            yield Problem(place, "interlock_as_member", {"condition": member})
    match condition:
        case Silent(point=point) if point in plant.points and plant.points[point].stale_s is None:
            yield Problem(place, "silent_never", {"point": point})
        case Offline(source=source, when=when):
            if source is None and len(plant.sources) != 1:
                yield Problem(f"{place}/source", "source_needed", {"sources": len(plant.sources)})
            elif source is not None and source not in plant.sources:
                yield Problem(f"{place}/source", "unknown_source", {"source": source})
            if when is not None:
                yield Problem(f"{place}/when", "offline_has_no_gate")
        case Vote(of=of, m=m) if not 1 <= m <= len(of):
            yield Problem(f"{place}/m", "vote_out_of_reach", {"m": m, "members": len(of)})


def _of_sets(plant: Plant, name: ConditionId, condition: Condition) -> Iterator[Problem]:
    place = f"conditions/{name}"
    for wanted in _wanted(condition):
        states = plant.points[wanted.point].states if wanted.point in plant.points else None
        if not wanted.values:
            yield Problem(place, "empty_set", {"point": wanted.point})
        for value in wanted.values:
            if states is not None and value not in states:
                yield Problem(place, "no_such_state", {"point": wanted.point, "value": value})


def _wanted(condition: Condition) -> Iterator[PointIn]:
    """Yield every set of values that the condition waits for: gate, effects, its own."""
    if condition.when is not None:
        yield condition.when
    match condition:
        case Interlock(effects=effects):
            yield from effects
        case State(point=point, values=values):
            yield PointIn(point, values)


def _of_figures(name: ConditionId, condition: Base) -> Iterator[Problem]:
    place = f"conditions/{name}"
    for field in ("on_delay_s", "off_delay_s", "within_s", "deadband", "band"):
        value = getattr(condition, field, 0)
        if not (math.isfinite(value) and value >= 0):
            yield Problem(f"{place}/{field}", "negative", {"value": value})
    match condition:
        case High() | Low() | Difference() | Rate() if not math.isfinite(condition.limit):
            yield Problem(f"{place}/limit", "not_finite", {"value": condition.limit})
        case Stuck(on_delay_s=delay) if delay == 0:
            yield Problem(f"{place}/on_delay_s", "not_positive", {"value": delay})
        case _:
            pass
    if isinstance(condition, Rate) and not condition.window_s > 0:
        yield Problem(f"{place}/window_s", "not_positive", {"value": condition.window_s})


def _of_cycles(plant: Plant) -> Iterator[Problem]:
    done: set[ConditionId] = set()
    for name in plant.conditions:
        path: list[ConditionId] = []
        if _returns_to_itself(plant, name, path, done):
            yield Problem(f"conditions/{name}", "cycle", {"through": " > ".join(path)})


def _returns_to_itself(
    plant: Plant, name: ConditionId, path: list[ConditionId], done: set[ConditionId]
) -> bool:
    if name in path:
        path.append(name)
        return True
    if name in done or name not in plant.conditions:
        return False
    path.append(name)
    if any(_returns_to_itself(plant, one, path, done) for one in members(plant.conditions[name])):
        return True
    path.pop()
    done.add(name)
    return False


def _of_interlock(plant: Plant, name: ConditionId, lock: Interlock) -> Iterator[Problem]:
    cause = plant.conditions[lock.cause]
    place = f"conditions/{name}"
    if cause.off_delay_ms == 0:
        yield Problem(f"{place}/cause", "cause_without_off_delay", {"cause": lock.cause})
    elif lock.on_delay_ms >= cause.off_delay_ms:
        off_s = cause.off_delay_ms / 1000
        params: dict[str, str | int | float] = {"within_s": lock.within_s, "off_delay_s": off_s}
        yield Problem(f"{place}/within_s", "within_not_below_off_delay", params)
    for reader in (lock.cause, *_all_members(plant, lock.cause)):
        gate = plant.conditions[reader].when
        if gate is None or len(lock.effects) == 1:
            continue
        for effect in lock.effects:
            if effect.point == gate.point and not set(effect.values) <= set(gate.values):
                told: dict[str, str | int | float] = {"gated": reader, "point": gate.point}
                yield Problem(f"{place}/effects", "effect_closes_the_gate_of_its_cause", told)


def _all_members(plant: Plant, name: ConditionId) -> Iterator[ConditionId]:
    for member in members(plant.conditions[name]):
        yield member
        yield from _all_members(plant, member)
