"""The core: what is acknowledged is durable, what is published is committed with its position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.journey import Effect, Notice
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import Fenced, Unavailable
from meltwatch.ledger.port import Appended, Conflict, Gap, Known
from meltwatch.model.encoding import UnknownEncoding, decode, encode
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import ConfigRecord, SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.model.sample import batch_of
from tests.telling import plant_of

CONDITIONS: dict[str, dict[str, Any]] = {
    "t.H": {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 2}
}
GATEWAY = SourceId("gateway")


def frame(second: int, value: float, epoch: str = "1", seq: int | None = None) -> tuple[Any, bytes]:
    record = SamplesRecord(
        received_at=second * 1000,
        source=GATEWAY,
        epoch=EpochId(epoch),
        seq=second + 1 if seq is None else seq,
        complete_from=(second - 1) * 1000,
        complete_to=second * 1000,
        samples=batch_of([(PointCode("t"), second * 1000, value, 0)]),
    )
    return record, f"{epoch}/{second}/{value}".encode()


def begin(home: EmbeddedHome, plant: Plant) -> Core:
    core = Core(home, plant.enterprise)
    if core.journey.state.plant is None:
        config = ConfigRecord(received_at=0, plant=plant, risk_model=default_risk_model())
        core.take_own(config)
    return core


def effects(core: Core) -> list[Effect]:
    return [decode(row.data, Effect) for row in core.partition.effects(0, 10_000)]


@pytest.fixture
def plant() -> Plant:
    return plant_of(CONDITIONS)


def test_a_raise_is_committed_with_the_position_of_its_frame(tmp_path: Path, plant: Plant) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    for second in range(5):
        assert isinstance(core.take_samples([frame(second, 61)])[0], Appended)
    raised = [one for one in effects(core) if isinstance(one, AlarmEvent)]
    assert [(one.told.value, one.occurrence.raised) for one in raised] == [("raised", 2000)]
    assert core.committed == core.stream.end(plant.enterprise)
    home.close()


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_new_core_goes_on_where_the_old_one_stopped(
    tmp_path: Path, plant: Plant, checkpointed: bool
) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61), frame(1, 61)])
    if checkpointed:
        core.checkpoint(10**9)
    again = begin(home, plant)
    again.take_samples([frame(2, 61), frame(3, 0)])
    raised = [one for one in effects(again) if isinstance(one, AlarmEvent)]
    assert [one.told.value for one in raised] == ["raised", "returned"]
    for _ in range(2):
        with pytest.raises(Fenced):
            core.take_samples([frame(4, 0)])
    again.partition.renew()
    home.close()


def test_a_checkpoint_of_another_form_is_made_anew_from_the_log(
    tmp_path: Path, plant: Plant
) -> None:
    """A program that keeps its state otherwise judges the log again, silently, and goes on."""
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61), frame(1, 61), frame(2, 61)])
    core.partition.checkpoint(core.committed, encode({"some": "older state"}))
    again = begin(home, plant)
    again.take_samples([frame(3, 0)])
    raised = [one for one in effects(again) if isinstance(one, AlarmEvent)]
    assert [one.told.value for one in raised] == ["raised", "returned"]
    home.close()


def test_a_checkpoint_of_another_form_without_its_log_is_refused(
    tmp_path: Path, plant: Plant
) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    hour = 3600
    for second in range(3):
        core.take_samples([frame(second, 61)])
    later = [frame(3 + place * hour, 61, seq=4 + place) for place in range(3)]
    for one in later:
        core.take_samples([one])
    core.partition.checkpoint(core.committed, encode({"some": "older state"}))
    home.stream.retain({plant.enterprise: core.committed})
    with pytest.raises(UnknownEncoding, match="checkpoint"):
        begin(home, plant)
    home.close()


def test_the_same_frame_again_is_known_and_does_nothing(tmp_path: Path, plant: Plant) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61)])
    before = effects(core)
    assert isinstance(core.take_samples([frame(0, 61)])[0], Known)
    assert effects(core) == before
    home.close()


def test_a_gap_is_refused_and_the_source_told_where_to_resume(tmp_path: Path, plant: Plant) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61)])
    assert core.take_samples([frame(5, 61)])[0] == Gap(2)
    home.close()


def test_another_frame_under_a_used_number_is_kept_aside_and_said_aloud(
    tmp_path: Path, plant: Plant
) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61)])
    assert isinstance(core.take_samples([frame(0, 99)])[0], Conflict)
    notices = [one for one in effects(core) if isinstance(one, Notice)]
    assert [(one.happening.key, one.happening.params["seq"]) for one in notices] == [
        ("frame_conflict", 1)
    ]
    assert len(core.stream.conflicts(0, 10)) == 1
    assert isinstance(core.take_samples([frame(1, 61)])[0], Appended)
    home.close()


def test_a_frame_of_an_older_epoch_is_back_fill(tmp_path: Path, plant: Plant) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 0, epoch="1")])
    core.take_samples([frame(9, 0, epoch="2", seq=1)])
    for second in range(1, 9):
        core.take_samples([frame(second, 61 if second < 6 else 0, epoch="1")])
    raised = [one.occurrence for one in effects(core) if isinstance(one, AlarmEvent)]
    assert [(one.raised, one.returned, one.flags) for one in raised] == [(3000, 6000, ("late",))]
    home.close()


class FailingPartition:
    """A real partition whose next commit finds the disk full, after or before it is made."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.fail: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def commit(self, pos: int, effects: Any, deeds: Any = ()) -> bool:
        when, self.fail = self.fail, None
        if when == "before":
            raise Unavailable("state.sqlite", "disk full")
        done: bool = self.real.commit(pos, effects, deeds)
        if when == "after":
            raise Unavailable("state.sqlite", "disk full")
        return done


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_of_unknown_outcome_loses_and_doubles_nothing(
    tmp_path: Path, plant: Plant, when: str
) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61), frame(1, 61)])
    failing = FailingPartition(core.partition)
    core.partition = failing
    failing.fail = when
    with pytest.raises(Unavailable):
        core.take_samples([frame(2, 61)])
    assert isinstance(core.take_samples([frame(2, 61)])[0], Known)
    core.take_samples([frame(3, 0)])
    told = [one for one in effects(core) if isinstance(one, AlarmEvent)]
    assert [(one.told.value, one.occurrence.raised) for one in told] == [
        ("raised", 2000),
        ("returned", 2000),
    ]
    home.close()


def test_an_append_of_unknown_outcome_is_folded_when_it_turns_out_to_be_there(
    tmp_path: Path, plant: Plant
) -> None:
    home = EmbeddedHome(tmp_path / "ledger", sync="off")
    core = begin(home, plant)
    core.take_samples([frame(0, 61), frame(1, 61)])
    real = core.stream

    class FailingStream:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def append(self, partition: str, entries: Any) -> Any:
            real.append(partition, entries)
            core.stream = real
            raise Unavailable("log.sqlite", "disk full")

    core.stream = FailingStream()  # the port, but for one call
    with pytest.raises(Unavailable):
        core.take_samples([frame(2, 61)])
    assert isinstance(core.take_samples([frame(2, 61)])[0], Known)
    told = [one for one in effects(core) if isinstance(one, AlarmEvent)]
    assert [(one.told.value, one.occurrence.raised) for one in told] == [("raised", 2000)]
    home.close()
