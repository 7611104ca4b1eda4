"""Late data: whatever the line did, in the end there is what an undisturbed run had given."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings

from meltwatch.model.condition import Condition
from meltwatch.model.ids import ConditionId, EnterpriseId, PointCode
from meltwatch.model.plant import Plant, Point, Source
from tests.properties.deliveries import (
    Frame,
    Holed,
    Telling,
    corrected_frames,
    holed_frames,
    lossy_frames,
    stalled_frames,
    told_apart,
)
from tests.properties.generators import GATEWAY, Case, Pick, case_of, picked
from tests.properties.oracle import undisturbed

UNHURRIED = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


class Told(msgspec.Struct, frozen=True):
    """A case and how its frames came."""

    case: Case
    holed: Holed

    def apart(self) -> str:
        """Return how what came out differs from what must; empty if it does not."""
        telling = Telling(self.case.plant).tell(self.holed.frames, self.case.until)
        whole = undisturbed(self.case.plant, self.holed.rows, self.case.until)
        return told_apart(telling.happened(), self.holed.wanted(whole))


def holed(pick: Pick) -> Told:
    """Return a case with outages."""
    case = case_of(pick)
    return Told(case, holed_frames(pick, case))


def stalled(pick: Pick) -> Told:
    """Return a case with stalls of one run."""
    case = case_of(pick)
    return Told(case, stalled_frames(pick, case))


def lossy(pick: Pick) -> Told:
    """Return a case with outages in which the source has lost samples."""
    case = case_of(pick)
    return Told(case, lossy_frames(pick, case))


def corrected(pick: Pick) -> Told:
    """Return a case with corrections."""
    case = case_of(pick)
    return Told(case, corrected_frames(pick, case, holes=False))


def holed_and_corrected(pick: Pick) -> Told:
    """Return a case with outages and corrections."""
    case = case_of(pick)
    return Told(case, corrected_frames(pick, case, holes=True))


@UNHURRIED
@given(picked(holed))
def test_holes_that_are_closed_leave_no_trace_but_late(told: Told) -> None:
    """Same conditions, instants and flags, and `late` iff the raise instant lies in a hole."""
    assert not told.apart()


@UNHURRIED
@given(picked(stalled))
def test_a_run_that_stalls_and_goes_on_leaves_no_trace(told: Told) -> None:
    """No hole, so nothing is late, whatever grace and `offline` have published meanwhile."""
    assert not told.apart()


@UNHURRIED
@given(picked(lossy))
def test_what_a_source_has_lost_is_complete_and_empty(told: Told) -> None:
    """The undisturbed run is the one without the lost samples."""
    assert not told.apart()


@UNHURRIED
@given(picked(corrected))
def test_corrections_are_evaluated_anew(told: Told) -> None:
    """As if the corrected samples had come at once."""
    assert not told.apart()


@UNHURRIED
@given(picked(holed_and_corrected))
def test_corrections_and_holes_together(told: Told) -> None:
    """Of unequal samples at one instant the later sent rules, whichever came first."""
    assert not told.apart()


# cases that long runs have found, told small


def small(condition: dict[str, Any], path: dict[int, float], until: int) -> Case:
    """Return a plant of one point and one condition, and its samples, seconds."""
    point = PointCode("p")
    plant = Plant(
        enterprise=EnterpriseId("small"),
        module="steel",
        points={point: Point(unit="", stale_s=3, source=GATEWAY)},
        conditions={ConditionId("c"): msgspec.convert({"level": 3, **condition}, Condition)},
        sources={GATEWAY: Source(offline_s=5, first_at=0)},
        grace_s=1,
    )
    rows = tuple((point, second * 1000, value, 0) for second, value in path.items())
    return Case(plant=plant, rows=rows, until=until * 1000)


def told_in(case: Case, frames: list[tuple[int, int, int, int]], *holes: tuple[int, int]) -> Told:
    """Return the case told in frames `(at, epoch, complete_from, complete_to)`, seconds."""
    told: list[Frame] = []
    for at, epoch, start, end in frames:
        rows = tuple(row for row in case.rows if start * 1000 < row[1] <= end * 1000)
        told.append(
            Frame(
                at=at * 1000,
                rows=rows,
                complete_from=start * 1000,
                complete_to=end * 1000,
                epoch=epoch,
                backfill=any(one.epoch > epoch for one in told),
            )
        )
    wide = tuple((start * 1000, end * 1000) for start, end in holes)
    return Told(case, Holed(frames=tuple(told), holes=wide, rows=case.rows))


HIGH = {"kind": "high", "point": "p", "limit": 1}
STUCK = {"kind": "stuck", "point": "p", "band": 0.5, "on_delay_s": 3}


def test_an_occurrence_is_not_lost_behind_one_first_published_at_its_instant() -> None:
    """Published at 9; a run again with half of the hole amends it to 4; the rest parts the two."""
    case = small(HIGH, {0: 0, 3: 0, 4: 1, 7: 0, 9: 1, 11: 1}, 12)
    frames = [
        (0, 0, -1, 0),
        (3, 0, 0, 3),
        (9, 1, 8, 9),  # the line is back: 9 is published
        (9, 0, 3, 5),  # half of the hole: waits
        (12, 2, 11, 12),  # a second hole: run again, and 4 overlaps what was published
        (12, 1, 9, 11),
        (12, 0, 5, 8),  # now 4 returns at 7, and 9 is one of its own
    ]
    whole = [(4000, "c", 7000, ()), (9000, "c", None, ())]
    assert undisturbed(case.plant, case.rows, case.until) == whole
    assert not told_in(case, frames, (3, 8), (9, 11)).apart()


def test_a_raise_that_grace_published_and_a_later_one_are_two() -> None:
    """Grace publishes 6, the new run's own raise is at 12, the hole confirms 6: two, no crash."""
    case = small(STUCK, {3: 0, 4: 0, 9: 2.5, 10: 2.5}, 12)
    frames = [
        (3, 0, -1, 3),
        (9, 1, 8, 9),
        (10, 1, 9, 10),
        (10, 0, 3, 4),
        (12, 1, 10, 12),
        (12, 0, 4, 8),
    ]
    whole = [(6000, "c", 9000, ()), (12000, "c", None, ())]
    assert undisturbed(case.plant, case.rows, case.until) == whole
    assert not told_in(case, frames, (3, 8)).apart()


def test_a_stalled_run_is_taken_up_where_no_condition_tells_offline() -> None:
    """A source is offline whether or not a condition says so: what it decided is provisional."""
    case = small(HIGH, {0: 0, 4: 1}, 9)
    assert undisturbed(case.plant, case.rows, case.until) == [(4000, "c", None, ())]
    assert not told_in(case, [(1, 0, -1, 1), (9, 0, 1, 9)]).apart()
