"""How the samples of a case come: frames, outages, stalls, losses, corrections, and the telling.

`Telling` is a scripted clock around one journey that ticks exactly as a live core would.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files

import msgspec
import yaml

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.journey import Effect, Journey
from meltwatch.model.condition import Offline
from meltwatch.model.ids import (
    EpochId,
    OccurrenceId,
    PointCode,
)
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.log import ConfigRecord, Interval, Record, SamplesRecord, TickRecord
from meltwatch.model.plant import Plant
from meltwatch.model.quality import Quality
from meltwatch.model.risk_model import RiskModel
from meltwatch.model.sample import Row, batch_of
from tests.properties.generators import BAD_VALUE, GATEWAY, Case, Pick
from tests.properties.oracle import Happened


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame and the instant of its arrival."""

    at: int
    rows: tuple[Row, ...]
    complete_from: int
    complete_to: int
    epoch: int = 0
    backfill: bool = False
    lost: tuple[Interval, ...] = ()


def second_frames(case: Case) -> list[Frame]:
    """Return the frames of whole seconds, each arriving at once."""
    return [
        Frame(
            at=end,
            rows=tuple(row for row in case.rows if end - SECOND_MS < row[1] <= end),
            complete_from=end - SECOND_MS,
            complete_to=end,
        )
        for end in range(0, case.until + 1, SECOND_MS)
    ]


# outages of the line


class Holed(msgspec.Struct, frozen=True, kw_only=True):
    """Frames with outages, the holes `(old complete_to, new complete_from]`, what holds at last."""

    frames: tuple[Frame, ...]
    holes: tuple[Interval, ...]
    rows: tuple[Row, ...]

    def wanted(self, undisturbed: list[Happened]) -> list[Happened]:
        """Return the oracle's occurrences, those raised in a hole flagged `late`."""
        return sorted(
            one._replace(flags=tuple(sorted((*one.flags, "late"))))
            if any(after < one.raised <= upto for after, upto in self.holes)
            else one
            for one in undisturbed
        )


def outages_of(pick: Pick, last: int) -> list[tuple[int, int]]:
    """Return outages [from, to) in whole seconds; after each the line is up for a second or more.

    Frames made at from <= t < to do not come through; the line is back at `to`, at most `last`.
    """
    found: list[tuple[int, int]] = []
    second = pick.whole(1, max(1, last // 2))
    while second < last and len(found) < 3:
        back = min(last, second + pick.one_of([1, 2, 3, 4, 5, 6, 8, 12, 20]))
        found.append((second, back))
        second = back + pick.whole(1, 15)
        if pick.chance(35):
            break
    return found


def holed_frames(pick: Pick, case: Case) -> Holed:
    """Return the frames of whole seconds with outages of the line.

    When the line is back a new epoch's live frame comes first; then frames of the old epochs, each
    epoch's in its order, between later live frames and at any pace. At the end all have come.
    """
    outages = outages_of(pick, case.until // SECOND_MS)
    waiting: dict[int, list[Frame]] = {}
    frames: list[Frame] = []
    epoch = 0
    for frame in second_frames(case):
        second = frame.at // SECOND_MS
        if any(start <= second < end for start, end in outages):
            waiting.setdefault(epoch, []).append(frame)
            continue
        if any(second == end for _, end in outages):
            epoch += 1
        frames.append(msgspec.structs.replace(frame, epoch=epoch))
        last = frame.at == case.until
        most = 10**6 if last else pick.one_of([0, 1, 2, 3, 5, 100])
        while most > 0 and waiting:
            most -= 1
            old = pick.one_of(sorted(waiting))
            late = waiting[old].pop(0)
            if not waiting[old]:
                del waiting[old]
            frames.append(msgspec.structs.replace(late, at=frame.at, epoch=old, backfill=True))
    holes = tuple(((start - 1) * SECOND_MS, (end - 1) * SECOND_MS) for start, end in outages)
    return Holed(frames=tuple(frames), holes=holes, rows=case.rows)


def stalled_frames(pick: Pick, case: Case) -> Holed:
    """Return the frames of whole seconds with stalls: no new epoch, the same run goes on late."""
    stalls = outages_of(pick, case.until // SECOND_MS)
    waiting: list[Frame] = []
    frames: list[Frame] = []
    for frame in second_frames(case):
        second = frame.at // SECOND_MS
        if any(start <= second < end for start, end in stalls):
            waiting.append(frame)
            continue
        frames += [msgspec.structs.replace(one, at=frame.at) for one in waiting]
        frames.append(frame)
        waiting = []
    return Holed(frames=tuple(frames), holes=(), rows=case.rows)


def lossy_frames(pick: Pick, case: Case) -> Holed:
    """Return frames with outages, of which the source has lost some samples and says so.

    The last frame of all tells each lost interval, part of a hole; its samples never come.
    """
    holed = holed_frames(pick, case)
    lost: list[Interval] = []
    for start, end in holed.holes:
        if pick.chance(70):
            first = pick.whole(start // SECOND_MS, end // SECOND_MS - 1) * SECOND_MS
            last = pick.whole(first // SECOND_MS + 1, end // SECOND_MS) * SECOND_MS
            lost.append((first, last))

    def is_lost(at: int) -> bool:
        return any(after < at <= upto for after, upto in lost)

    frames = [one for one in holed.frames if not (one.backfill and is_lost(one.complete_to))]
    places = [place for place, one in enumerate(frames) if not one.backfill]
    for interval in lost:
        after = [place for place in places if frames[place].complete_from >= interval[1]]
        place = pick.one_of(after)
        frames[place] = msgspec.structs.replace(frames[place], lost=(*frames[place].lost, interval))
    rows = tuple(row for row in case.rows if not is_lost(row[1]))
    return Holed(frames=tuple(frames), holes=holed.holes, rows=rows)


def corrected_frames(pick: Pick, case: Case, *, holes: bool) -> Holed:
    """Return frames of which some bring, beside their own, rows for instants long complete.

    Such a row has another value for an instant already told (or to be told by an older epoch), or
    is for an instant that had none. The later sent (epoch, frame, row) rules.
    """
    base = holed_frames(pick, case) if holes else None
    frames = list(base.frames if base else second_frames(case))
    for place in sorted({pick.whole(1, len(frames) - 1) for _ in range(pick.whole(1, 4))}):
        frame = frames[place]
        more: list[Row] = []
        for _ in range(pick.one_of([1, 2, 3])):
            point = pick.one_of(sorted(case.plant.points))
            told = [row for row in case.rows if row[0] == point and row[1] <= frame.complete_from]
            if told and pick.chance(80):
                at = pick.one_of(told)[1]
            else:
                at = pick.whole(0, frame.complete_from // 500) * 500
            values = [0.0, 1.0, 2.0] if point.startswith("g") else [0.0, 3.0, 1.0, 2.0, 1.5, 0.5]
            here = {row[2] for row in told if row[1] == at}
            value = pick.one_of([value for value in values if value not in here])
            if pick.chance(10):  # no value that a good sample has: equal ones would be one sample
                more.append((point, at, BAD_VALUE, int(Quality.BAD)))
            else:
                more.append((point, at, value, int(Quality.GOOD)))
        frames[place] = msgspec.structs.replace(frame, rows=(*frame.rows, *more))
    return Holed(
        frames=tuple(frames), holes=base.holes if base else (), rows=tuple(ruling_rows(frames))
    )


def ruling_rows(frames: Sequence[Frame]) -> list[Row]:
    """Return one row for each (point, at): of unequal ones the latest sent."""
    sent = sorted(
        ((frame.epoch, place, number), row)
        for place, frame in enumerate(frames)
        for number, row in enumerate(frame.rows)
    )
    ruling: dict[tuple[PointCode, int], Row] = {}
    for _, row in sent:
        standing = ruling.get((row[0], row[1]))
        if standing is None or standing[2] != row[2]:
            ruling[row[0], row[1]] = row
    return sorted(ruling.values(), key=lambda row: row[1])


# telling a journey


class Telling:
    """A journey with a scripted clock: ticks come exactly when something asks for them."""

    def __init__(self, plant: Plant) -> None:
        """Configure the plant at instant 0."""
        self.journey = Journey.begin(plant.enterprise)
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.seq: dict[int, int] = {}
        self.take(ConfigRecord(received_at=0, plant=plant, risk_model=RISK_MODEL))

    def take(self, record: Record) -> None:
        """Give the journey one record."""
        self.records.append(record)
        self.effects += self.journey.step(record)

    def tell(self, frames: Iterable[Frame], until: int) -> Telling:
        """Give the journey frames in their order, and let the clock pass up to `until`."""
        for frame in frames:
            self.pass_time(frame.at)
            self.seq[frame.epoch] = self.seq.get(frame.epoch, 0) + 1
            self.take(
                SamplesRecord(
                    received_at=frame.at,
                    source=GATEWAY,
                    epoch=EpochId(f"{frame.epoch:04d}"),
                    seq=self.seq[frame.epoch],
                    complete_from=frame.complete_from,
                    complete_to=frame.complete_to,
                    samples=batch_of(frame.rows),
                    backfill=frame.backfill,
                    lost=frame.lost,
                )
            )
        self.pass_time(until + 1)
        return self

    def pass_time(self, until: int) -> None:
        """Tick, as a live core would, at every instant before `until` at which something is due."""
        while True:
            due = self.journey.offline_due()
            wake = self.journey.wake_at()
            wakes = [*due.values(), *([] if wake is None else [wake])]
            if not wakes or min(wakes) >= until:
                return
            at = min(wakes)
            gone = tuple(source for source, when in due.items() if when <= at)
            self.take(TickRecord(at=at, offline=gone))

    def occurrences(self) -> list[Occurrence]:
        """Return every occurrence as last published, withdrawn ones left out."""
        latest: dict[OccurrenceId, Occurrence] = {}
        for effect in self.effects:
            if isinstance(effect, AlarmEvent):
                latest[effect.occurrence.id] = effect.occurrence
        return [one for one in latest.values() if one.standing is not Standing.WITHDRAWN]

    def happened(self) -> list[Happened]:
        """Return the occurrences of every kind but `offline`, as the oracle tells them."""
        plant = self.journey.state.plant
        assert plant is not None
        return sorted(
            Happened(one.raised, one.condition, one.returned, one.flags)
            for one in self.occurrences()
            if not isinstance(plant.conditions[one.condition], Offline)
        )


def _risk_model() -> RiskModel:
    file = files("meltwatch.risk") / "models" / "project-default.1.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), RiskModel)


RISK_MODEL = _risk_model()


def told_apart(found: list[Happened], wanted: list[Happened]) -> str:
    """Return the difference as lines that a person can read; empty if there is none."""
    lines = [f"missing    {one}" for one in wanted if one not in found]
    lines += [f"unexpected {one}" for one in found if one not in wanted]
    if not lines and sorted(found) != sorted(wanted):
        lines = ["told more than once"]
    return "\n".join(lines)
