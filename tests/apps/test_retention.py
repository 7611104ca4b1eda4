"""The log goes by age and by size, and never while somebody has still to read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.disk import DiskCare
from meltwatch.apps.findings import Findings
from meltwatch.apps.keeping import KEEP_DAYS, Keeping
from meltwatch.apps.retention import DAY_MS, Limits, Retention
from meltwatch.apps.seal import HISTORY, LEDGER, seal
from meltwatch.history.read import read_rows
from meltwatch.ledger.check import check
from meltwatch.ledger.embedded import GIB, EmbeddedHome
from meltwatch.ledger.room import Bounds, Room
from meltwatch.model.ids import EpochId, PointCode
from meltwatch.model.log import ConfigRecord, SamplesRecord, TickRecord
from meltwatch.model.sample import batch_of
from tests.telling import GATEWAY, plant_of

PLANT = plant_of({"t.H": {"kind": "high", "point": "t", "limit": 60}}, offline_s=9_000_000)
NAME = PLANT.enterprise
ALL = Limits(keep_ms=10 * DAY_MS, keep_bytes=GIB)


class At:
    """A clock that a test sets, in days."""

    def __init__(self, day: int = 0) -> None:
        self.day = day

    def wall_ms(self) -> int:
        return self.day * DAY_MS

    def monotonic_ms(self) -> int:
        return self.day * DAY_MS


@pytest.fixture
def home(tmp_path: Path) -> Iterator[EmbeddedHome]:
    """A ledger with a file a day."""
    with closing(EmbeddedHome(tmp_path / LEDGER, sync="off", rotate_ms=DAY_MS)) as home:
        yield home


@pytest.fixture
def core(home: EmbeddedHome) -> Core:
    core = Core(home, NAME)
    core.take_own(ConfigRecord(received_at=0, plant=PLANT, risk_model=default_risk_model()))
    return core


def live(core: Core, days: int) -> None:
    """Take a frame a day and checkpoint behind each."""
    for day in range(1, days + 1):
        record = SamplesRecord(
            received_at=day * DAY_MS,
            source=GATEWAY,
            epoch=EpochId("1"),
            seq=day,
            complete_from=(day - 1) * DAY_MS,
            complete_to=day * DAY_MS,
            samples=batch_of([(PointCode("t"), day * DAY_MS, 20.0, 0)]),
        )
        core.take_samples([(record, b"%d" % day)])
        core.partition.checkpoint(core.committed, b"state")


def retention(tmp_path: Path, core: Core, limits: Limits = ALL) -> Retention:
    return Retention(core.stream, {NAME: core.partition}, tmp_path / HISTORY, limits)


def days_left(tmp_path: Path) -> int:
    return len(list((tmp_path / LEDGER).glob("log-*.sqlite")))


def test_what_is_old_goes_once_it_is_sealed_and_not_before(tmp_path: Path, core: Core) -> None:
    live(core, 20)
    kept = retention(tmp_path, core)
    assert kept.run(20 * DAY_MS) == []
    assert days_left(tmp_path) == 21, "nothing is sealed yet"
    seal(tmp_path, [NAME], At(20), once=True)
    assert kept.run(20 * DAY_MS) == []
    assert days_left(tmp_path) == 11
    assert check(tmp_path / LEDGER) == []
    assert len(read_rows(tmp_path / HISTORY / NAME)) == 20


def test_a_recovery_s_checkpoint_holds_the_log(tmp_path: Path, core: Core) -> None:
    live(core, 20)
    seal(tmp_path, [NAME], At(20), once=True)
    former = core.partition.needed_after()
    retention(tmp_path, core, Limits(keep_ms=0, keep_bytes=0)).run(20 * DAY_MS)
    assert core.stream.read(NAME, former, 1)[0].pos == former + 1
    with closing(EmbeddedHome(tmp_path / "other", sync="off", rotate_ms=DAY_MS)) as other:
        fresh = Core(other, NAME)
        fresh.take_own(ConfigRecord(received_at=0, plant=PLANT, risk_model=default_risk_model()))
        for day in range(1, 6):
            fresh.take_own(TickRecord(at=day * DAY_MS))
        assert Retention(
            fresh.stream,
            {NAME: fresh.partition},
            tmp_path / HISTORY,
            Limits(keep_ms=0, keep_bytes=0),
        ).run(9 * DAY_MS), "there is no checkpoint: all of it is needed, and it is said"


def test_what_is_beyond_the_size_goes_whatever_its_age(tmp_path: Path, core: Core) -> None:
    live(core, 20)
    seal(tmp_path, [NAME], At(20), once=True)
    size = core.stream.size_bytes()
    kept = retention(tmp_path, core, Limits(keep_ms=1_000 * DAY_MS, keep_bytes=size // 2))
    assert kept.run(20 * DAY_MS) == []
    assert core.stream.size_bytes() <= size // 2
    assert days_left(tmp_path) > 5


def test_a_reader_that_lags_keeps_what_it_needs_and_is_named(tmp_path: Path, core: Core) -> None:
    """A full disk and an unsealed log: nothing is deleted, and it is said."""
    live(core, 20)
    kept = retention(tmp_path, core, Limits(keep_ms=0, keep_bytes=0))
    (told,) = kept.run(20 * DAY_MS, wanted_bytes=GIB)
    assert (told.key, told.params["reader"]) == ("ledger.retention_held", "sealer")
    assert days_left(tmp_path) == 21
    seal(tmp_path, [NAME], At(20), once=True)
    kept.run(20 * DAY_MS, wanted_bytes=GIB)
    assert days_left(tmp_path) < 4


def test_ticks_at_the_end_of_a_silent_plant_hold_nobody(tmp_path: Path, core: Core) -> None:
    live(core, 3)
    for day in range(4, 10):
        core.take_own(TickRecord(at=day * DAY_MS))
        core.partition.checkpoint(core.committed, b"state")
    seal(tmp_path, [NAME], At(20), once=True)
    retention(tmp_path, core, Limits(keep_ms=0, keep_bytes=GIB)).run(100 * DAY_MS)
    assert days_left(tmp_path) <= 3
    assert seal(tmp_path, [NAME], At(20), once=True).failed == {}


def test_a_short_disk_lets_sealed_files_go_early(
    tmp_path: Path, home: EmbeddedHome, core: Core
) -> None:
    live(core, 20)
    seal(tmp_path, [NAME], At(20), once=True)
    told = os.statvfs(tmp_path)
    room = Room(tmp_path, Bounds(floor_bytes=2 * told.f_blocks * told.f_frsize, reserve_bytes=0))
    findings = Findings()
    care = DiskCare(home, room, findings, retention(tmp_path, core), At(20))
    care.look()
    care.retain()
    assert days_left(tmp_path) < 4
    assert "frame.no_room" in {one.key for one in findings.all()}


def test_our_defaults(tmp_path: Path) -> None:
    limits = Keeping().limits(tmp_path)
    assert limits.keep_ms == KEEP_DAYS * DAY_MS
    assert limits.keep_bytes > 0
    asked = Keeping(keep_days=3, keep_gib=2).limits(tmp_path)
    assert (asked.keep_ms, asked.keep_bytes) == (3 * DAY_MS, 2 * GIB)
