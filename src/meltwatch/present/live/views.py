"""What screens are told of a picture: the core's data in the API's shapes, with words.

Between `picture` (what the core tells) and `relay` (who hears it). Nothing here decides anything:
what is grave, open or raised was decided where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, TypeVar, cast

from meltwatch.alarm.occurrence import Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.handling.case import Case
from meltwatch.handling.progress import TABLE, Move
from meltwatch.model.condition import Condition, High, Low, main_points, members
from meltwatch.model.ids import CaseId, ConditionId, OccurrenceId, PointCode, SourceId, bare
from meltwatch.model.plant import Plant, Point
from meltwatch.model.risk_model import Colour, ColourName, RiskModel
from meltwatch.model.site import Site
from meltwatch.present.api import shapes
from meltwatch.present.live.picture import Delta, Latest, Line, Picture
from meltwatch.present.words_reason import Teller
from meltwatch.risk.colour import Assessment

WORST_SHOWN = 5
K = TypeVar("K")
V = TypeVar("V")
_BY_PEOPLE = (Move.VERIFY, Move.HANDLE, Move.CLOSE)
_WAITING = (Standing.UNACKNOWLEDGED, Standing.RETURNED_UNACKNOWLEDGED)


def plant_of(site: Site, plant: Plant) -> shapes.Plant:
    """Return what a plant is made of, points and conditions in the order of their templates."""
    return shapes.Plant(
        enterprise=site.enterprise,
        text=site.name,
        module=plant.module,
        region=site.region,
        region_text=site.region_name,
        simulation=site.simulation,
        units=tuple(
            shapes.Unit(id=name, text=unit.name, template=unit.template)
            for name, unit in site.units.items()
        ),
        points=tuple(_point(site, plant, code, one) for code, one in plant.points.items()),
        conditions=tuple(
            _condition(site, plant, name, one) for name, one in plant.conditions.items()
        ),
        sources=tuple(
            shapes.Source(id=name, offline_s=one.offline_s, clock=one.clock)
            for name, one in plant.sources.items()
        ),
    )


def picture_of(site: Site, picture: Picture, away_since: int | None) -> shapes.Picture:
    """Return all that is so now."""
    case_of = cases_by_occurrence(picture)
    teller = Teller(site, picture.plant, picture.now)
    return shapes.Picture(
        enterprise=picture.enterprise,
        number=picture.number,
        now=picture.now,
        values=_values(picture.values),
        lines=_lines(picture.lines),
        occurrences=tuple(
            occurrence_of(teller, one, case_of.get(one.id)) for one in picture.occurrences.values()
        ),
        cases=tuple(case_shape(teller, picture, one) for one in picture.cases.values()),
        risk=risk_of(teller, picture.assessment, picture.risk_model),
        core_away_since=away_since,
    )


def delta_of(
    site: Site,
    picture: Picture,
    delta: Delta,
    case_before: Mapping[OccurrenceId, CaseId],
    case_of: Mapping[OccurrenceId, CaseId],
) -> shapes.Delta:
    """Return what a delta has changed of what screens show; `picture` has it applied already.

    More than the delta names: whether a case may be closed hangs on its occurrences, and an
    occurrence shows its case (`cases_by_occurrence` before and after the delta).
    """
    changed = {one.id for one in delta.occurrences}
    moved = {one for one, case in case_of.items() if case_before.get(one) != case}
    touched = {one.id for one in delta.cases} | {
        case_of[one] for one in changed | moved if one in case_of
    }
    teller = Teller(site, picture.plant, picture.now)
    return shapes.Delta(
        enterprise=picture.enterprise,
        number=delta.number,
        now=delta.now,
        values=_values(delta.values),
        lines=_lines(delta.lines),
        occurrences=tuple(
            occurrence_of(teller, one, case_of.get(one.id))
            for one in _named(picture.occurrences, changed | moved)
        ),
        cases=tuple(case_shape(teller, picture, one) for one in _named(picture.cases, touched)),
        gone=delta.gone,
        risk=risk_of(teller, delta.assessment, picture.risk_model),
    )


def summary_of(site: Site, picture: Picture | None, away_since: int | None) -> shapes.Summary:
    """Return a plant as a list shows it; one that the core has not told of has no colour."""
    told = picture or Picture(enterprise=site.enterprise)
    teller = Teller(site, told.plant, told.now)
    open_cases = [one for one in told.cases.values() if one.open]
    gravest = sorted(open_cases, key=lambda one: (one.level, -one.opened_at, one.id))
    first, second, third, fourth = (
        sum(one.level == level for one in open_cases) for level in (1, 2, 3, 4)
    )
    return shapes.Summary(
        enterprise=site.enterprise,
        text=site.name,
        module=site.module,
        region=site.region,
        region_text=site.region_name,
        simulation=site.simulation,
        now=told.now,
        risk=risk_of(teller, told.assessment, told.risk_model),
        counts=(first, second, third, fourth),
        unacknowledged=sum(one.standing in _WAITING for one in told.occurrences.values()),
        offline=sum(one.offline_since is not None for one in told.lines.values()),
        worst=tuple(case_shape(teller, told, one) for one in gravest[:WORST_SHOWN]),
        core_away_since=away_since,
    )


def cases_by_occurrence(picture: Picture) -> dict[OccurrenceId, CaseId]:
    """Return the case of each occurrence that has one."""
    return {one: case.id for case in picture.cases.values() for one in case.occurrences}


def risk_of(
    teller: Teller, assessment: Assessment | None, model: RiskModel | None
) -> shapes.Risk | None:
    """Return the colour with all that it came from; None before the first assessment."""
    if assessment is None:
        return None
    colour = assessment.colour
    return shapes.Risk(
        colour=None if colour is None else _colour(colour),
        unassessed=assessment.unassessed,
        since=min(
            (one.since for one in assessment.contributions if one.colour == colour), default=None
        ),
        contributions=tuple(
            shapes.Contribution(
                key=one.key,
                params=one.params,
                text=teller.contribution(one.key, one.params),
                colour=_colour(one.colour),
                since=one.since,
                held_until=one.held_until,
            )
            for one in assessment.contributions
        ),
        lower=tuple(
            shapes.Step(key=one.key, params=one.params, text=teller.step(one.key, one.params))
            for one in assessment.lower
        ),
        model=assessment.model,
        model_version=assessment.model_version,
        official=model is not None and model.official,
    )


def occurrence_of(teller: Teller, one: Occurrence, case: CaseId | None) -> shapes.Occurrence:
    """Return an occurrence as it stands, and why it was raised."""
    reason = one.reason
    return shapes.Occurrence(
        id=one.id,
        condition=one.condition,
        level=one.level,
        raised=one.raised,
        returned=one.returned,
        flags=one.flags,
        visible_at=one.visible_at,
        standing=one.standing.value,
        graced=one.graced,
        case=case,
        key=None if reason is None else reason.key,
        params={} if reason is None else reason.params,
        text=None if reason is None else teller.reason(reason),
    )


def case_shape(teller: Teller, picture: Picture, one: Case) -> shapes.Case:
    """Return a case, and what a person may do at it now."""
    raised = any(
        picture.occurrences[which].active
        for which in one.occurrences
        if which in picture.occurrences
    )
    moves = [
        move
        for move in _BY_PEOPLE
        if (one.progress, move) in TABLE and not (raised and move is Move.CLOSE)
    ]
    return shapes.Case(
        id=one.id,
        condition=one.condition,
        text=teller.named(one.condition),
        level=one.level,
        opened_at=one.opened_at,
        occurrences=one.occurrences,
        progress=one.progress.value,
        deeds=tuple(
            shapes.Deed(move=deed.move.value, by=deed.by, at=deed.at, words=deed.words)
            for deed in one.deeds
        ),
        closed_at=one.closed_at,
        next=tuple(cast("Literal['verify', 'handle', 'close']", move.value) for move in moves),
    )


# inside


def _point(site: Site, plant: Plant, code: PointCode, point: Point) -> shapes.Point:
    return shapes.Point(
        code=code,
        unit_id=_unit(code),
        text=site.named(bare(code)),
        unit=point.unit,
        range=point.range,
        stale_s=point.stale_s,
        states=tuple(
            shapes.State(value=value, text=site.named(word))
            for value, word in (point.states or {}).items()
        ),
        limits=tuple(_limits(plant, code)),
        source=point.source,
    )


def _limits(plant: Plant, code: PointCode) -> Iterable[shapes.Limit]:
    for name, one in plant.conditions.items():
        if isinstance(one, High | Low) and one.point == code:
            side: Literal["high", "low"] = "high" if isinstance(one, High) else "low"
            yield shapes.Limit(condition=name, side=side, limit=one.limit, level=one.level)


def _condition(site: Site, plant: Plant, name: ConditionId, one: Condition) -> shapes.Condition:
    return shapes.Condition(
        id=name,
        unit_id=_unit(name),
        text=site.named(bare(name)),
        kind=str(type(one).__struct_config__.tag),
        level=one.level,
        points=tuple(dict.fromkeys(_watched(plant, one))),
        gate=None if one.when is None else one.when.point,
        gate_values=() if one.when is None else one.when.values,
    )


def _watched(plant: Plant, one: Condition) -> Iterable[PointCode]:
    """Yield the points that a condition hangs on, those of its members included."""
    yield from main_points(one)
    for name in members(one):
        yield from _watched(plant, plant.conditions[name])


def _values(values: Mapping[PointCode, Latest]) -> dict[str, shapes.Value]:
    return {
        code: shapes.Value(at=one.at, value=one.value, quality=one.quality)
        for code, one in values.items()
    }


def _lines(lines: Mapping[SourceId, Line]) -> dict[str, shapes.Line]:
    return {
        name: shapes.Line(
            complete_to=one.complete_to, heard_at=one.heard_at, offline_since=one.offline_since
        )
        for name, one in lines.items()
    }


def _colour(colour: Colour) -> ColourName:
    return cast("ColourName", colour.name.lower())


def _unit(code: str) -> str:
    return code.partition("/")[0]


def _named(known: Mapping[K, V], names: AbstractSet[K]) -> list[V]:
    return [one for name, one in known.items() if name in names]
