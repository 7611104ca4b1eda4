"""How samples are cut into frames, and where a process ends, changes nothing."""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, given, settings

from meltwatch.journey import Journey, JourneyState
from meltwatch.model.log import Record
from meltwatch.model.sample import Row
from tests.properties.deliveries import Frame, Telling, holed_frames, told_apart
from tests.properties.generators import Case, Pick, case_of, picked
from tests.properties.oracle import undisturbed

UNHURRIED = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


class Cut(msgspec.Struct, frozen=True):
    """A case and the frames that tell it otherwise."""

    case: Case
    frames: tuple[Frame, ...]


class Restarted(msgspec.Struct, frozen=True):
    """A case, its frames, and after how many records the process ends, each time."""

    case: Case
    frames: tuple[Frame, ...]
    lives: tuple[int, ...]


def cut_of(pick: Pick) -> Cut:
    """Return a case cut anywhere, also between samples of one instant, rows shuffled.

    Each frame completes to just before the next sample, or to any instant before that; it arrives
    then, or late (grace may publish). The gateway is patient here: a run that stands still beyond
    `offline_s` is a stall, and has its own test beside the holes.
    """
    case = patient(case_of(pick))
    rows = sorted(pick.shuffled(case.rows), key=lambda row: row[1])
    frames: list[Frame] = []
    done, clock = -1000, 0
    while rows or done < case.until:
        part, rows = _split(rows, pick.one_of([1, 2, 0, 3, 5, 8, 20]))
        reached = rows[0][1] - 1 if rows else case.until
        if rows and pick.chance(50):
            last = part[-1][1] if part else done
            reached = max(done, pick.whole(min(last, reached), reached))
        if not part and reached == done:
            continue
        lag = pick.one_of([0, 0, 0, 0, 0, 500, 3000, 12000])
        newest = max(reached, part[-1][1] if part else 0)
        clock = min(case.until, max(clock, newest + lag))
        frame = Frame(
            at=clock, rows=tuple(pick.shuffled(part)), complete_from=done, complete_to=reached
        )
        frames.append(frame)
        done = reached
    return Cut(case, tuple(frames))


def restarted_of(pick: Pick) -> Restarted:
    """Return a case with outages of its line, and where the process ends."""
    case = case_of(pick)
    frames = tuple(holed_frames(pick, case).frames)
    lives = tuple(pick.one_of([1, 2, 3, 5, 10]) for _ in range(pick.whole(1, 20)))
    return Restarted(case, frames, lives)


def patient(case: Case) -> Case:
    """Return the case with a source that is not offline for an hour."""
    replace = msgspec.structs.replace
    sources = {name: replace(one, offline_s=3600) for name, one in case.plant.sources.items()}
    return replace(case, plant=replace(case.plant, sources=sources))


def _split(rows: list[Row], count: int) -> tuple[list[Row], list[Row]]:
    return rows[:count], rows[count:]


def fold(records: list[Record], case: Case, lives: tuple[int, ...]) -> list[bytes]:
    """Return the encoded effects of each record; the process ends after each life's records."""
    encode = msgspec.msgpack.encode
    journey = Journey.begin(case.plant.enterprise)
    told: list[bytes] = []
    left = list(lives)
    age = 0
    for record in records:
        told.append(encode(journey.step(record)))
        age += 1
        if left and age >= left[0]:
            left.pop(0)
            age = 0
            journey = Journey(msgspec.msgpack.decode(encode(journey.freeze()), type=JourneyState))
    return told


@UNHURRIED
@given(picked(cut_of))
def test_cuts_change_nothing(cut: Cut) -> None:
    """The same samples in any frames give the oracle's occurrences."""
    case = cut.case
    telling = Telling(case.plant).tell(cut.frames, case.until)
    assert not told_apart(telling.happened(), undisturbed(case.plant, case.rows, case.until))


@UNHURRIED
@given(picked(restarted_of))
def test_the_state_from_disk_goes_on_alike(restarted: Restarted) -> None:
    """Encoded and decoded anywhere, the same records give the same effects, byte for byte."""
    case = restarted.case
    telling = Telling(case.plant).tell(restarted.frames, case.until)
    once = fold(telling.records, case, ())
    assert fold(telling.records, case, restarted.lives) == once
    assert [one for told in once for one in msgspec.msgpack.decode(told)] == [
        msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for one in telling.effects
    ]
