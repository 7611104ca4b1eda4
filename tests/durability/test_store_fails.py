"""The store fails for a while: whatever was stored is judged all the same, once, and said aloud.

The faults are real ones: another connection holds the lock of the file that a step needs. With the
index locked an append is stored and does not say so; with the state locked the frame is stored
and folded, and its effects cannot be committed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gathering import Gathering
from meltwatch.audit.chain import Deed
from meltwatch.journey import Effect, Journey
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import Fenced, Unavailable
from meltwatch.ledger.port import Appended, Known, Outcome
from meltwatch.model.encoding import decode, encode, record_of
from meltwatch.model.ids import EpochId, PointCode
from meltwatch.model.log import ConfigRecord, SamplesRecord, TickRecord
from meltwatch.model.sample import batch_of
from tests.telling import GATEWAY, plant_of

PLANT = plant_of({"t.H": {"kind": "high", "point": "t", "limit": 60}}, offline_s=9_000_000)
LOCKED_BRIEFLY_MS = 5
FILES = ["index.sqlite", "state.sqlite"]


class Still:
    """A clock at which nothing is due."""

    def wall_ms(self) -> int:
        return 1000

    def monotonic_ms(self) -> int:
        return 1000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[EmbeddedHome]:
    with closing(EmbeddedHome(tmp_path / "ledger", busy_ms=LOCKED_BRIEFLY_MS)) as home:
        yield home


@pytest.fixture
def core(home: EmbeddedHome) -> Core:
    core = Core(home, PLANT.enterprise)
    core.take_own(ConfigRecord(received_at=0, plant=PLANT, risk_model=default_risk_model()))
    return core


def frame(second: int, value: float, epoch: str = "1", seq: int = 0) -> tuple[SamplesRecord, bytes]:
    record = SamplesRecord(
        received_at=second * 1000,
        source=GATEWAY,
        epoch=EpochId(epoch),
        seq=seq or second,
        complete_from=(second - 1) * 1000,
        complete_to=second * 1000,
        samples=batch_of([(PointCode("t"), second * 1000, value, 0)]),
    )
    return record, f"{epoch}/{second}/{value}".encode()


@contextmanager
def locked(directory: Path, name: str) -> Iterator[None]:
    """Hold a file's write lock, as a backup or a virus scanner may."""
    with closing(sqlite3.connect(directory / "ledger" / name, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def folded(core: Core) -> list[bytes]:
    """Return what an undisturbed journey says of the log as it stands."""
    journey = Journey.begin(PLANT.enterprise)
    log = core.stream.read(PLANT.enterprise, 0, 1_000)
    return [encode(effect) for one in log for effect in journey.step(record_of(one.data))]


def committed(core: Core) -> list[bytes]:
    return [one.data for one in core.partition.effects(0, 1_000)]


def alarms(effects: Sequence[bytes]) -> list[str]:
    told = [decode(one, Effect) for one in effects]
    return [one.told.value for one in told if isinstance(one, AlarmEvent)]


@pytest.mark.parametrize("name", FILES)
def test_an_alarm_is_said_though_the_store_failed_at_its_frame(
    tmp_path: Path, core: Core, name: str
) -> None:
    with locked(tmp_path, name), pytest.raises(Unavailable):
        core.take_samples([frame(1, 61)])
    assert isinstance(core.take_samples([frame(1, 61)])[0], Known)
    assert alarms(committed(core)) == ["raised"]
    assert isinstance(core.take_samples([frame(2, 0)])[0], Appended)
    assert alarms(committed(core)) == ["raised", "returned"]
    assert committed(core) == folded(core)


@pytest.mark.parametrize("name", FILES)
def test_it_is_said_even_if_nothing_comes_after_it(tmp_path: Path, core: Core, name: str) -> None:
    with locked(tmp_path, name), pytest.raises(Unavailable):
        core.take_samples([frame(1, 61)])
    core.come_in_line()
    assert alarms(committed(core)) == ["raised"]


@pytest.mark.parametrize("name", FILES)
def test_failing_again_and_again_doubles_nothing(tmp_path: Path, core: Core, name: str) -> None:
    for second, value in enumerate([61, 0, 61, 0], start=1):
        with locked(tmp_path, name):
            for _ in range(3):
                with pytest.raises(Unavailable):
                    core.take_samples([frame(second, value)])
        core.take_samples([frame(second, value)])
    assert alarms(committed(core)) == ["raised", "returned"] * 2
    assert committed(core) == folded(core)


def test_a_commit_that_was_made_and_not_heard_of_is_not_made_twice(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = core.partition.commit

    def unheard(pos: int, effects: Sequence[bytes], deeds: Sequence[Deed] = ()) -> bool:
        commit(pos, effects, deeds)
        raise Unavailable("state.sqlite", "made, and not heard of")

    monkeypatch.setattr(core.partition, "commit", unheard)
    with pytest.raises(Unavailable):
        core.take_samples([frame(1, 61)])
    monkeypatch.undo()
    core.take_samples([frame(2, 0)])
    assert committed(core) == folded(core)


@pytest.mark.parametrize("name", FILES)
def test_an_own_record_finds_its_number_again(tmp_path: Path, core: Core, name: str) -> None:
    for _ in range(2):
        with locked(tmp_path, name), pytest.raises(Unavailable):
            core.take_own(TickRecord(at=1000))
        core.take_own(TickRecord(at=2000))
    assert core.stream.last_seq("core") == 5
    assert not core.stream.conflicts(0, 1)


@pytest.mark.parametrize("name", FILES)
def test_a_restart_says_what_the_failure_kept_back(
    tmp_path: Path, home: EmbeddedHome, core: Core, name: str
) -> None:
    with locked(tmp_path, name), pytest.raises(Unavailable):
        core.take_samples([frame(1, 61)])
    home.close()
    with closing(EmbeddedHome(tmp_path / "ledger")) as again:
        after = Core(again, PLANT.enterprise)
        assert alarms(committed(after)) == ["raised"]
        assert committed(after) == folded(after)


def test_of_a_group_the_older_epoch_is_back_fill(core: Core) -> None:
    """Its lane drains beside the live one, so that they come together."""
    core.take_samples([frame(1, 0, epoch="1")])
    core.take_samples([frame(9, 0, epoch="2", seq=1), frame(2, 61, epoch="1")])
    log = [record_of(one.data) for one in core.stream.read(PLANT.enterprise, 0, 10)]
    told = [(one.epoch, one.backfill) for one in log if isinstance(one, SamplesRecord)]
    assert told == [("1", False), ("2", False), ("1", True)]


async def _gathered(gathering: Gathering, *frames: tuple[SamplesRecord, bytes]) -> list[object]:
    """Let frames come together; return what each is told, once `run` has ended or said so."""
    running = asyncio.create_task(gathering.run())
    taking = [asyncio.create_task(gathering.take(*one)) for one in frames]
    try:
        return list(await asyncio.wait_for(asyncio.gather(*taking, return_exceptions=True), 5))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, Fenced):
            await running


def test_who_waits_for_a_core_that_ends_is_told_so(home: EmbeddedHome, core: Core) -> None:
    """The outcome is unknown: the same again, to whoever comes after it."""

    async def scene() -> tuple[list[object], list[object]]:
        gathering = Gathering({core.enterprise: core}, Still())
        home.partition(PLANT.enterprise).acquire()
        first = await _gathered(gathering, frame(1, 61), frame(2, 61))
        with suppress(Unavailable):
            await asyncio.wait_for(gathering.take(*frame(3, 61)), 5)
            return first, ["taken"]
        return first, []

    told, taken_after = asyncio.run(scene())
    assert [type(one) for one in told] == [Unavailable, Unavailable]
    assert taken_after == []


def test_a_core_whose_store_fails_goes_on_when_it_is_back(
    tmp_path: Path, core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody sends anything again: the alarm comes by itself."""

    async def scene() -> Outcome | BaseException:
        gathering = Gathering({core.enterprise: core}, Still())
        running = asyncio.create_task(gathering.run())
        with locked(tmp_path, "state.sqlite"):
            taking = gathering.take(*frame(1, 61))
            (told,) = await asyncio.gather(taking, return_exceptions=True)
            assert not running.done()
        async with asyncio.timeout(5):
            while not alarms(committed(core)):  # noqa: ASYNC110  # another file tells it
                await asyncio.sleep(0.01)
        gathering.stop()
        await running
        return told

    assert isinstance(asyncio.run(scene()), Unavailable)
    assert alarms(committed(core)) == ["raised"]
    assert [one.levelname for one in caplog.records if one.name.startswith("meltwatch")] == [
        "ERROR",
        "WARNING",
    ]
