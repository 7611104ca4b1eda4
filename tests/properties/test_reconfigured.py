"""New configurations while the plant runs: nothing stops, and what they leave alone goes on."""

from __future__ import annotations

import msgspec
from hypothesis import given

from meltwatch.alarm.occurrence import Occurrence
from meltwatch.errors import PlantRefused
from meltwatch.evaluate.plan import plan_of
from meltwatch.model.condition import Condition, main_points, members
from meltwatch.model.ids import ConditionId, PointCode, SourceId
from meltwatch.model.log import ConfigRecord
from meltwatch.model.plant import Plant, Source
from tests.properties.deliveries import RISK_MODEL, Frame, Telling, holed_frames, second_frames
from tests.properties.generators import Case, Pick, case_of, picked, plant_of
from tests.properties.test_cuts import UNHURRIED, fold

OTHER = SourceId("another")


class Changed(msgspec.Struct, frozen=True):
    """A case, its frames, the plants that come in force before a frame, and the lives."""

    case: Case
    frames: tuple[Frame, ...]
    plants: dict[int, Plant]
    lives: tuple[int, ...]


def changed_of(pick: Pick, *, holes: bool, sources: bool) -> Changed:
    """Return a case whose plant is changed up to four times while it is told."""
    case = case_of(pick)
    frames = holed_frames(pick, case).frames if holes else second_frames(case)
    plant, plants = case.plant, dict[int, Plant]()
    for _ in range(pick.whole(1, 4)):
        plant = variant_of(pick, plant, sources=sources)
        plants[pick.whole(0, len(frames) - 1)] = plant
    lives = tuple(pick.one_of([1, 2, 3, 5, 10]) for _ in range(pick.whole(1, 20)))
    return Changed(case, tuple(frames), plants, lives)


def anything(pick: Pick) -> Changed:
    return changed_of(pick, holes=True, sources=True)


def conditions_only(pick: Pick) -> Changed:
    return changed_of(pick, holes=False, sources=False)


def variant_of(pick: Pick, plant: Plant, *, sources: bool) -> Plant:
    """Return the plant with conditions gone, come and changed, as far as the product accepts it.

    With `sources` its gateways and how long they and the points may be silent change too.
    """
    changed = plant
    for name in list(plant.conditions):
        if pick.chance(25):
            changed = _accepted(changed, {k: v for k, v in changed.conditions.items() if k != name})
    donor = plant_of(pick)
    for name, condition in donor.conditions.items():
        if pick.chance(50) and _known(condition, changed):
            changed = _accepted(changed, {**changed.conditions, name: condition})
    if sources:
        changed = _other_sources(pick, changed)
    return changed


def _known(condition: Condition, plant: Plant) -> bool:
    points = set(main_points(condition)) | ({condition.when.point} if condition.when else set())
    return points <= plant.points.keys() and set(members(condition)) <= plant.conditions.keys()


def _accepted(plant: Plant, conditions: dict[ConditionId, Condition]) -> Plant:
    changed = msgspec.structs.replace(plant, conditions=conditions)
    try:
        plan_of(changed)
    except PlantRefused:
        return plant
    return changed


def _other_sources(pick: Pick, plant: Plant) -> Plant:
    """Return the plant with a gateway more or less, or a point that is stale sooner or later."""
    replace = msgspec.structs.replace
    points = {
        name: replace(point, stale_s=pick.one_of([None, 2, 3, 5])) if pick.chance(15) else point
        for name, point in plant.points.items()
    }
    sources = dict(plant.sources)
    if pick.chance(30):
        sources[OTHER] = Source(offline_s=pick.one_of([3, 5]))
        moved = PointCode(pick.one_of(sorted(points)))
        points[moved] = replace(points[moved], source=OTHER)
    elif OTHER in sources and pick.chance(50):
        del sources[OTHER]
        stays = next(iter(sources))
        points = {name: replace(point, source=stays) for name, point in points.items()}
    changed = replace(plant, points=points, sources=sources, grace_s=pick.one_of([5, 1, 2]))
    try:
        plan_of(changed)
    except PlantRefused:
        return plant
    return changed


def told(changed: Changed, plants: dict[int, Plant]) -> Telling:
    """Tell the frames, each new plant before its frame."""
    telling = Telling(changed.case.plant)
    for place, frame in enumerate(changed.frames):
        if place in plants:
            telling.pass_time(frame.at)
            now = max(frame.at, telling.journey.state.told)
            telling.take(ConfigRecord(received_at=now, plant=plants[place], risk_model=RISK_MODEL))
        telling.tell([frame], frame.at - 1)
    telling.pass_time(changed.case.until + 1)
    return telling


def left_alone(changed: Changed) -> set[ConditionId]:
    """Return the conditions that are the same in every plant, with all that they read."""
    plants = [changed.case.plant, *changed.plants.values()]
    same = {
        name
        for name, condition in changed.case.plant.conditions.items()
        if all(plant.conditions.get(name) == condition for plant in plants)
    }
    while True:
        sound = {name for name in same if set(members(changed.case.plant.conditions[name])) <= same}
        if sound == same:
            return same
        same = sound


def of(telling: Telling, names: set[ConditionId]) -> list[Occurrence]:
    found = [one for one in telling.occurrences() if one.condition in names]
    return sorted(found, key=lambda one: (one.raised, one.condition))


@UNHURRIED
@given(picked(anything))
def test_no_new_configuration_stops_a_journey_or_is_lost_with_a_restart(changed: Changed) -> None:
    """Every record is taken, and the state from disk goes on alike, byte for byte."""
    telling = told(changed, changed.plants)
    case = changed.case
    assert fold(telling.records, case, changed.lives) == fold(telling.records, case, ())


@UNHURRIED
@given(picked(conditions_only))
def test_what_a_new_configuration_leaves_alone_goes_on_as_if_there_were_none(
    changed: Changed,
) -> None:
    """The occurrences of unchanged conditions are those of a plant that never changed."""
    names = left_alone(changed)
    assert of(told(changed, changed.plants), names) == of(told(changed, {}), names)


@UNHURRIED
@given(picked(anything))
def test_what_is_gone_is_not_left_raised(changed: Changed) -> None:
    """No occurrence of a condition that the plant in force does not have stays active."""
    telling = told(changed, changed.plants)
    plant = telling.journey.state.plant
    assert plant is not None
    left = [one for one in telling.occurrences() if one.condition not in plant.conditions]
    assert [one for one in left if one.active] == []
