"""What screens are told of a picture, and of what a delta changes beyond what it names."""

from __future__ import annotations

import msgspec

from meltwatch.alarm.standing import Standing
from meltwatch.handling.progress import Progress
from meltwatch.model.ids import CaseId, ConditionId
from meltwatch.model.reason import Params
from meltwatch.model.risk_model import Colour
from meltwatch.present.live.picture import Delta, Picture, apply
from meltwatch.present.live.views import (
    cases_by_occurrence,
    delta_of,
    picture_of,
    plant_of,
    summary_of,
)
from meltwatch.risk.colour import Assessment, Contribution, Step
from tests.present.api.plants import (
    CAST,
    FLOW,
    GW,
    HORN,
    LOW,
    NOW,
    ONE,
    SITES,
    alarmed,
    case,
    occurrence,
    picture,
    plant,
)

SITE = SITES[CAST]


def changed(told: Picture, delta: Delta) -> tuple[set[str], set[str]]:
    """Return the ids of the occurrences and the cases that screens are told of."""
    before = cases_by_occurrence(told)
    apply(told, delta)
    shape = delta_of(SITE, told, delta, before, cases_by_occurrence(told))
    return {one.id for one in shape.occurrences}, {one.id for one in shape.cases}


def test_a_plant_is_told_in_the_order_of_its_template_with_limits_and_words() -> None:
    told = plant_of(SITE, plant(CAST))
    assert [one.code for one in told.points][:3] == [
        "well-1/phase",
        "well-1/mould_flow",
        "well-1/drain_open",
    ]
    flow = told.points[1]
    assert (flow.unit_id, flow.text.zh, flow.range) == ("well-1", "结晶器进水流量", (0, 400))
    assert [(one.condition, one.side, one.limit, one.level) for one in flow.limits] == [
        (LOW, "low", 90, 2)
    ]
    assert [one.text.zh for one in told.points[0].states] == ["待机", "铸造"]
    low = told.conditions[0]
    assert (low.kind, low.gate, low.gate_values) == ("low", "well-1/phase", (3,))


def test_a_condition_on_conditions_shows_the_points_of_all() -> None:
    told = {one.id: one for one in plant_of(SITE, plant(CAST)).conditions}
    assert told["well-1/interlock.water"].points == ("well-1/drain_open", "well-1/mould_flow")


def test_an_occurrence_shows_why_and_its_case() -> None:
    (one,) = picture_of(SITE, alarmed(), None).occurrences
    assert one.text is not None
    assert one.text.zh.startswith("1号井 结晶器进水流量 86.25 m³/h,降至低限")
    assert (one.key, one.case, one.standing) == ("low", ONE, "unacknowledged")


def test_a_case_shows_what_may_be_done_now_and_is_not_closed_while_raised() -> None:
    for progress, raised, wanted in [
        (Progress.OPEN, True, ("verify",)),
        (Progress.VERIFIED, True, ("handle",)),
        (Progress.HANDLED, True, ("handle",)),
        (Progress.HANDLED, False, ("handle", "close")),
        (Progress.CLOSED, False, ()),
    ]:
        returned = None if raised else NOW
        told = picture(
            CAST,
            occurrences={HORN: occurrence(returned=returned)},
            cases={ONE: case(progress=progress)},
        )
        assert picture_of(SITE, told, None).cases[0].next == wanted


def test_a_return_tells_the_case_too_since_it_may_be_closed_now() -> None:
    told = picture(CAST, occurrences={HORN: occurrence()}, cases={ONE: case()})
    back = occurrence(returned=NOW, standing=Standing.RETURNED_UNACKNOWLEDGED)
    delta = Delta(enterprise=CAST, number=8, now=NOW, occurrences=(back,))
    assert changed(told, delta) == ({HORN}, {ONE})


def test_a_case_that_takes_an_occurrence_up_tells_the_occurrence_too() -> None:
    told = picture(CAST, occurrences={HORN: occurrence()})
    delta = Delta(enterprise=CAST, number=8, now=NOW, cases=(case(),))
    assert changed(told, delta) == ({HORN}, {ONE})


def test_values_alone_tell_neither() -> None:
    assert changed(alarmed(), Delta(enterprise=CAST, number=8, now=NOW)) == (set(), set())


def test_the_colour_comes_with_its_reasons_and_since_when_it_stands() -> None:
    params: Params = {"condition": "well-1/interlock.water", "case": ONE}
    red = Contribution(key="interlock_failed", colour=Colour.RED, since=NOW - 5, params=params)
    old = msgspec.structs.replace(red, colour=Colour.ORANGE, since=NOW - 900)
    assessment = Assessment(
        colour=Colour.RED,
        unassessed=True,
        contributions=(red, old),
        lower=(Step(key="restore_data", params={}),),
        model="project-default",
        model_version=1,
    )
    risk = picture_of(SITE, picture(CAST, assessment=assessment), None).risk
    assert risk is not None
    assert (risk.colour, risk.since, risk.unassessed, risk.official) == (
        "red",
        NOW - 5,
        True,
        False,
    )
    assert risk.contributions[0].text.zh == "联锁拒动,处置单未消警:1号井 断水联锁拒动"
    assert risk.lower[0].text.en.startswith("Restore the data")


def test_a_summary_counts_what_is_open_and_shows_the_gravest_newest_first() -> None:
    cases = {
        CaseId(str(nth)): case(id=CaseId(str(nth)), level=level, opened_at=NOW - nth, **other)
        for nth, level, other in [
            (1, 3, {}),
            (2, 1, {}),
            (3, 1, {}),
            (4, 1, {"progress": Progress.CLOSED}),
            (5, 2, {}),
            (6, 4, {}),
            (7, 4, {}),
        ]
    }
    told = summary_of(SITE, picture(CAST, cases=cases, occurrences={HORN: occurrence()}), None)
    assert told.counts == (2, 1, 1, 2)
    assert [one.id for one in told.worst] == ["2", "3", "5", "1", "6"]
    assert told.worst[0].text.zh == "1号井 结晶器进水流量 低低"
    assert (told.unacknowledged, told.offline, told.simulation) == (1, 0, True)


def test_a_plant_that_the_core_has_not_told_of_has_no_colour() -> None:
    told = summary_of(SITE, None, NOW)
    assert (told.risk, told.counts, told.core_away_since) == (None, (0, 0, 0, 0), NOW)


def test_an_unworded_name_stays_as_it_is() -> None:
    bare = msgspec.structs.replace(SITE, names={})
    told = plant_of(bare, plant(CAST))
    assert told.points[1].text.en == "mould_flow"
    assert ConditionId(told.conditions[0].id) == LOW
    assert FLOW in plant(CAST).points
    assert GW in plant(CAST).sources
