"""The feed's deltas carry any copy of its picture on to what the feed itself shows.

A run of frames, ticks, commands, configurations and recoveries is cut anywhere: by flushes, and by
listeners who come in the middle. Beside it stands an obvious twin that folds the log once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.handling.case import Case, CaseEvent
from meltwatch.journey import Effect
from meltwatch.ledger.memory import MemoryHome
from meltwatch.model.encoding import decode, record_of
from meltwatch.model.ids import CaseId, CommandId, EpochId, OccurrenceId, PointCode
from meltwatch.model.log import (
    Acknowledge,
    AnyCommand,
    Close,
    CommandRecord,
    ConfigRecord,
    Handle,
    SamplesRecord,
    TickRecord,
    Verify,
)
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row, batch_of
from meltwatch.present.live.feed import Feed
from meltwatch.present.live.listener import MOST_OF_ONE, Listener
from meltwatch.present.live.picture import KEPT_MS, Delta, Latest, Missed, Picture, Told, apply
from tests.telling import GATEWAY, plant_of

HIGH: dict[str, Any] = {"kind": "high", "point": "t", "limit": 60}
PLANT = plant_of({"t.H": HIGH, "u.H": {**HIGH, "point": "u"}}, offline_s=20)
"""Without an `offline` condition: that its gateway is away is shown all the same."""
WIDER = plant_of({"t.H": {**HIGH, "limit": 55}, "v.H": {**HIGH, "point": "v"}}, offline_s=20)
VALUES = [50.0, 57.0, 61.0, float("nan"), float("inf")]


class Run:
    """A core on a scripted clock with its feed, and what people can do to it."""

    def __init__(self) -> None:
        self.now = 0
        self.home = MemoryHome()
        self.feed = Feed(PLANT.enterprise, lambda: self.now)
        self.core = Core(self.home, PLANT.enterprise, self.feed)
        self.seqs: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.configure(PLANT)

    def configure(self, plant: Any) -> None:
        risk_model = default_risk_model()
        record = ConfigRecord(received_at=self.now, plant=plant, risk_model=risk_model)
        self.core.take_own(record)

    def pass_time(self, seconds: int) -> None:
        until = self.now + seconds * 1000
        while (tick := self.core.next_tick()) is not None and tick.at < until:
            self.now = max(self.now, tick.at)
            self.core.take_own(tick)
        self.now = until

    def frame(self, rows: Iterable[Row], *, mark: Any = "real", epoch: str = "2") -> None:
        seq = self.seqs[epoch] = self.seqs.get(epoch, 0) + 1
        record = SamplesRecord(
            received_at=self.now,
            source=GATEWAY,
            epoch=EpochId(epoch),
            seq=seq,
            complete_from=self.ends.get(epoch, max(self.now - 1000, 0)),
            complete_to=self.now,
            samples=batch_of(rows),
            mark=mark,
        )
        self.ends[epoch] = self.now
        self.core.take_samples([(record, f"{epoch}/{seq}".encode())])

    def command(self, made: type[AnyCommand], **told: Any) -> None:
        asked = made(
            id=CommandId("c"), who="li", role="shift", node="n", origin="o", why="w", **told
        )
        self.core.take_own(CommandRecord(received_at=self.now, command=asked))

    def recover(self) -> None:
        """An outcome was unknown: the state is taken up anew."""
        self.core._in_doubt = True
        self.core.come_in_line()


Action = tuple[str, Any]
ROW = st.tuples(
    st.sampled_from(["t", "u", "v"]),
    st.integers(0, 12),
    st.sampled_from(VALUES),
    st.sampled_from([0, 0, 0, int(Quality.UNCERTAIN), int(Quality.BAD)]),
)
ACTION: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("frame"), st.lists(ROW, max_size=4)),
    st.tuples(st.just("frame"), st.lists(ROW, min_size=1, max_size=4)),
    st.tuples(st.just("test"), st.lists(ROW, max_size=2)),
    st.tuples(st.just("older"), st.lists(ROW, max_size=2)),
    st.tuples(st.just("pass"), st.sampled_from([1, 3, 25, 3600, 86_400])),
    st.tuples(st.just("person"), st.integers(0, 3)),
    st.tuples(st.just("configure"), st.booleans()),
    st.tuples(st.just("recover"), st.none()),
    st.tuples(st.just("flush"), st.none()),
    st.tuples(st.just("listen"), st.none()),
)


def do(run: Run, action: Action) -> None:
    match action:
        case ("frame" | "test" | "older" as how, list(told)):
            rows = [
                (PointCode(name), max(run.now - ago * 1000, 0), value, quality)
                for name, ago, value, quality in told
            ]
            mark = "test" if how == "test" else "real"
            run.frame(rows, mark=mark, epoch="1" if how == "older" else "2")
        case ("pass", int(seconds)):
            run.pass_time(seconds)
        case ("person", int(step)):
            person(run, step)
        case ("configure", wider):
            run.configure(WIDER if wider else PLANT)
        case ("recover", _):
            run.recover()
        case ("flush", _):
            run.feed.flush()


def person(run: Run, step: int) -> None:
    occurrences = list(run.core.journey.state.board.occurrences)
    cases = list(run.core.journey.state.desk.cases)
    if step == 0 and occurrences:
        run.command(Acknowledge, occurrence=occurrences[-1])
    elif cases:
        moves: list[tuple[Any, str]] = [(Verify, "found"), (Handle, "measure"), (Close, "cause")]
        made, word = moves[step - 1]
        run.command(made, case=cases[-1], **{word: "words"})


def heard(listener: Listener) -> list[Told]:
    """What waits for a listener now."""
    if not listener._waiting:
        return []
    return asyncio.run(listener.take())


class Copy:
    """What a listener makes of what it is told."""

    def __init__(self, feed: Feed) -> None:
        self.listener = Listener(100)
        self.picture: Picture | None = None
        feed.listen(self.listener)

    def hear(self) -> None:
        for told in heard(self.listener):
            match msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Told):
                case Picture() as picture:
                    self.picture = picture
                case Delta() as delta:
                    assert self.picture is not None
                    apply(self.picture, delta)


def twin(run: Run) -> Picture:
    """The same picture, made in the obvious way from the log and the committed effects."""
    plant = run.core.journey.state.plant
    assert plant is not None
    values: dict[PointCode, Latest] = {}
    last_heard: int | None = None
    for stored in run.home.stream.read(PLANT.enterprise, 0, 100_000):
        record = record_of(stored.data)
        if isinstance(record, SamplesRecord):
            last_heard = record.received_at
            if record.mark == "real":
                fold(values, record.samples.rows())
    occurrences: dict[OccurrenceId, tuple[Occurrence, int]] = {}
    cases: dict[CaseId, tuple[Case, int]] = {}
    for row in run.core.partition.effects(0, 100_000):
        effect: Effect = decode(row.data, Effect)
        if isinstance(effect, AlarmEvent):
            occurrences[effect.occurrence.id] = effect.occurrence, effect.told_at
        elif isinstance(effect, CaseEvent):
            cases[effect.case.id] = effect.case, effect.told_at
    evaluation = run.core.journey.state.evaluation
    assert evaluation is not None
    picture = run.feed.picture()
    lines = {
        name: msgspec.structs.replace(
            picture.lines[name],
            complete_to=one.run_end,
            offline_since=one.offline_since,
            heard_at=last_heard,
        )
        for name, one in evaluation.coverage.items()
    }
    return msgspec.structs.replace(
        picture,
        plant=plant,
        values={code: one for code, one in values.items() if code in plant.points},
        lines=lines,
        occurrences={
            name: one
            for name, (one, at) in occurrences.items()
            if not one.settled or run.now - at <= KEPT_MS
        },
        cases={
            name: one for name, (one, at) in cases.items() if one.open or run.now - at <= KEPT_MS
        },
        assessment=run.core.journey.state.risk.latest,
    )


def fold(values: dict[PointCode, Latest], rows: Iterable[Row]) -> None:
    for code, at, value, quality in rows:
        if code not in values or at >= values[code].at:
            shown = not quality & Quality.BAD and abs(value) < float("inf")
            values[code] = Latest(at, value if shown else None, quality)


@settings(max_examples=150)
@given(st.lists(ACTION, max_size=25))
def test_every_copy_is_what_the_feed_shows_wherever_the_run_is_cut(actions: list[Action]) -> None:
    run = Run()
    copies = [Copy(run.feed)]
    for action in actions:
        if action[0] == "listen":
            copies.append(Copy(run.feed))
        do(run, action)
        for copy in copies:
            copy.hear()
            assert copy.picture == run.feed.picture()
    run.feed.flush()
    for copy in copies:
        copy.hear()
        assert copy.picture == run.feed.picture() == twin(run)


def test_a_delta_that_does_not_follow_changes_nothing() -> None:
    run = Run()
    copy = Copy(run.feed)
    copy.hear()
    assert copy.picture is not None
    before = msgspec.msgpack.encode(copy.picture)
    with pytest.raises(Missed):
        apply(copy.picture, Delta(enterprise=PLANT.enterprise, number=7, now=1))
    assert msgspec.msgpack.encode(copy.picture) == before


def test_nothing_is_told_before_it_is_committed() -> None:
    run = Run()
    seen: list[int] = []

    class Watching(Feed):
        def committed(self, record: Any, effects: Any) -> None:
            seen.append(len(run.core.partition.effects(0, 1_000)))
            super().committed(record, effects)

    run.core.observer = Watching(PLANT.enterprise, lambda: 0)
    before = len(run.core.partition.effects(0, 1_000))
    run.now = 1000
    run.frame([(PointCode("t"), 1000, 61.0, 0)])
    assert seen
    assert seen[0] > before


def test_what_is_over_leaves_after_a_day_though_nothing_happens() -> None:
    run = Run()
    run.now = 1000
    run.frame([(PointCode("t"), 1000, 61.0, 0)])
    (which,) = run.core.journey.state.board.occurrences
    run.now = 2000
    run.frame([(PointCode("t"), 2000, 50.0, 0)])
    run.command(Acknowledge, occurrence=which)
    copy = Copy(run.feed)
    copy.hear()
    assert copy.picture is not None
    assert list(copy.picture.occurrences) == [which]
    run.now += KEPT_MS
    run.feed.flush()
    copy.hear()
    assert list(copy.picture.occurrences) == [which]
    run.now += 1
    run.feed.flush()
    copy.hear()
    assert list(copy.picture.occurrences) == []
    assert len(copy.picture.cases) == 1, "nobody has closed the case"


def test_a_slow_listener_is_ended_and_the_others_are_not() -> None:
    run = Run()
    slow, quick = Listener(), Copy(run.feed)
    run.feed.listen(slow)
    for second in range(1, MOST_OF_ONE + 2):
        run.now = second * 1000
        run.frame([(PointCode("t"), run.now, 50.0, 0)])
        run.feed.flush()
        quick.hear()
    assert slow.ended
    assert slow not in run.feed._listeners
    assert quick.picture == run.feed.picture()


def test_many_changes_are_few_deltas_and_the_last_one_counts() -> None:
    async def scene() -> tuple[int, Picture]:
        run = Run()
        listener = Listener()
        run.feed.listen(listener)
        running = asyncio.create_task(run.feed.run())
        (picture,) = await listener.take()
        assert isinstance(picture, Picture)
        for second in range(1, 60):
            run.now = second * 1000
            run.frame([(PointCode("t"), run.now, float(second), 0)])
            await asyncio.sleep(0.01)
        deltas = 0
        while picture.values.get(PointCode("t")) != Latest(59_000, 59.0, 0):
            async with asyncio.timeout(5):
                for told in await listener.take():
                    assert isinstance(told, Delta)
                    apply(picture, told)
                    deltas += 1
        running.cancel()
        return deltas, run.feed.picture()

    deltas, picture = asyncio.run(scene())
    assert 2 <= deltas <= 8
    assert picture.number == deltas


def test_a_new_process_shows_the_newest_values_again() -> None:
    run = Run()
    run.now = 1000
    run.frame([(PointCode("t"), 1000, 51.0, 0)])
    run.core.checkpoint(10**12)
    run.now = 2000
    run.frame([(PointCode("u"), 2000, 52.0, 0)])
    feed = Feed(PLANT.enterprise, lambda: run.now)
    core = Core(run.home, PLANT.enterprise, feed)
    for record in core.recent():
        feed.remember(record)
    feed.flush()
    shown = feed.picture()
    assert shown.values == {"t": Latest(1000, 51.0, 0), "u": Latest(2000, 52.0, 0)}
    assert shown.lines[GATEWAY].heard_at == 2000
    assert shown.lines[GATEWAY].complete_to == 2000


def test_a_gateway_that_is_away_is_shown_without_a_condition_that_watches_it() -> None:
    run = Run()
    run.now = 1000
    run.frame([(PointCode("t"), 1000, 51.0, 0)])
    copy = Copy(run.feed)
    run.core.take_own(TickRecord(at=21_000, offline=(GATEWAY,)))
    run.feed.flush()
    copy.hear()
    assert copy.picture is not None
    assert copy.picture.lines[GATEWAY].offline_since == 21_000


def test_a_settled_occurrence_that_the_journey_forgot_outlives_a_configuration() -> None:
    """It settles and is forgotten between two flushes, and the second one is a whole picture."""
    run = Run()
    run.now = 1000
    run.frame([(PointCode("t"), 1000, 61.0, 0)])
    (which,) = run.core.journey.state.board.occurrences
    run.feed.flush()
    run.command(Acknowledge, occurrence=which)
    for second in range(2, 200):
        run.now = second * 1000
        run.frame([(PointCode("t"), run.now, 50.0, 0), (PointCode("u"), run.now, 50.0, 0)])
    assert which not in run.core.journey.state.board.occurrences
    run.configure(WIDER)
    run.feed.flush()
    assert run.feed.picture().occurrences[which].settled
