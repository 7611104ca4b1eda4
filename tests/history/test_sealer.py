"""When the sealer seals, what it refuses, and what becomes of a bad disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meltwatch.history.catalogue import Catalogue
from meltwatch.history.errors import (
    Damaged,
    InUse,
    OtherEnterprise,
    OutOfOrder,
    Unavailable,
    UnknownFormat,
)
from meltwatch.history.read import check, read_rows, segment_paths
from meltwatch.history.sealer import Sealer
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.quality import Quality
from tests.history.telling import PLANT, record


@pytest.fixture
def sealer(tmp_path: Path) -> Iterator[Sealer]:
    one = Sealer(tmp_path, PLANT, every_s=60, rows_at_most=4)
    yield one
    one.close()


def test_due_every_minute_from_the_first_question(sealer: Sealer) -> None:
    assert not sealer.due(1_000)
    assert not sealer.due(100_000), "nothing was taken"
    sealer.take(1, record(1, []))
    assert sealer.due(100_000)
    assert sealer.seal(100_000) == ()
    assert sealer.sealed_to() == 1, "frames without rows move the position all the same"
    sealer.take(2, record(2, [("u/a", 0, 1.0, 0)]))
    assert not sealer.due(159_999)
    assert sealer.due(160_000)


def test_due_when_full(sealer: Sealer) -> None:
    sealer.take(1, record(1, [("u/a", at, 1.0, 0) for at in range(4)]))
    assert sealer.due(0)


def test_a_clock_that_goes_back_delays_no_longer_than_a_period(sealer: Sealer) -> None:
    sealer.take(1, record(1, []))
    assert not sealer.due(1_000_000)
    assert not sealer.due(0)
    assert sealer.due(60_000)


def test_a_position_that_does_not_climb_is_refused(sealer: Sealer) -> None:
    sealer.take(5, record(1, []))
    with pytest.raises(OutOfOrder):
        sealer.take(5, record(2, []))


def test_late_rows_go_into_a_delta(sealer: Sealer, tmp_path: Path) -> None:
    sealer.take(1, record(1, [("u/a", 1000, 1.0, 0), ("u/b", 1000, 1.0, 0)]))
    sealer.seal(1)
    again = [("u/a", 1000, 1.0, 0), ("u/b", 1000, 3.0, 0), ("u/b", 500, 4.0, 0)]
    sealer.take(2, record(2, [*again, ("u/a", 2000, 2.0, 0)]))
    fresh, delta = sealer.seal(2)
    assert (fresh.kind, fresh.rows) == ("segment", 1)
    assert (delta.kind, delta.rows, delta.at_from, delta.at_to) == ("delta", 3, 500, 1000)
    assert segment_paths(tmp_path, at_to=600) == [tmp_path / "segments" / delta.path]
    rows = read_rows(tmp_path)
    assert rows.quality.tolist().count(Quality.CORRECTED) == 1


def test_test_rows_touch_no_real_ones(sealer: Sealer, tmp_path: Path) -> None:
    sealer.take(1, record(1, [("u/a", 0, 1.0, 0)]))
    sealer.take(2, record(2, [("u/a", 0, 9.0, 0)], mark="test"))
    sealer.seal(0)
    assert read_rows(tmp_path).quality.tolist() == [0, Quality.TEST]


@pytest.mark.parametrize(
    ("given", "sealed"),
    [([0, 2], [0]), ([2, 0], [0]), ([2, 2], [2]), ([1, 0], [0]), ([2, 1, 0], [0]), ([16, 1], [16])],
)
@pytest.mark.parametrize("each", [True, False])
def test_equal_values_are_one_sample_of_the_best_quality(
    tmp_path: Path, given: list[int], sealed: list[int], each: bool
) -> None:
    assert sealed_of(tmp_path, [(5.0, quality) for quality in given], each=each) == sealed


@pytest.mark.parametrize(
    ("values", "quality"),
    [
        ([5.0, 5.0], [0]),
        ([5.0, 7.0, 7.0], [0, 16]),
        ([5.0, 7.0, 5.0], [0, 16]),
        ([0.0, -0.0], [0]),
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_repeats_and_corrections(
    tmp_path: Path, values: list[float], quality: list[int], each: bool
) -> None:
    assert sealed_of(tmp_path, [(value, 0) for value in values], each=each) == quality


def test_left_over_files_are_removed_and_others_stay(tmp_path: Path) -> None:
    Sealer(tmp_path, PLANT).close()
    folder = tmp_path / "segments"
    name = f"segment-{1:019d}-{2:019d}.parquet"
    for left in (name, f"{name}.tmp", "mine.parquet"):
        (folder / left).write_bytes(b"?")
    sealer = Sealer(tmp_path, PLANT)
    sealer.close()
    assert [problem.place for problem in sealer.removed] == [
        f"segments/{name}",
        f"segments/{name}.tmp",
    ]
    assert [path.name for path in folder.iterdir()] == ["mine.parquet"]


def test_a_failing_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = Sealer(tmp_path, PLANT)
    sealer.take(1, record(1, [("u/a", 0, 1.0, 0)]))

    def full(*_: object) -> None:
        raise Unavailable("disk", "full")

    with monkeypatch.context() as broken:
        broken.setattr(Catalogue, "register", full)
        with pytest.raises(Unavailable):
            sealer.seal(0)
    sealer.take(2, record(2, [("u/a", 1, 1.0, 0)]))
    sealer.seal(1)
    sealer.close()
    assert sorted((tmp_path / "segments").iterdir()) == segment_paths(tmp_path)
    assert read_rows(tmp_path).at.tolist() == [0, 1]


def test_one_sealer_and_one_enterprise(sealer: Sealer, tmp_path: Path) -> None:
    with pytest.raises(InUse):
        Sealer(tmp_path, PLANT)
    sealer.close()
    with pytest.raises(OtherEnterprise):
        Sealer(tmp_path, EnterpriseId("other"))
    Sealer(tmp_path, PLANT).close()


def test_a_catalogue_of_another_kind_is_not_touched(tmp_path: Path) -> None:
    Sealer(tmp_path, PLANT).close()
    catalogue = Catalogue(tmp_path, PLANT)
    catalogue._connection.execute("PRAGMA user_version = 9")
    catalogue.close()
    with pytest.raises(UnknownFormat):
        Sealer(tmp_path, PLANT)


def test_nothing_sealed_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        segment_paths(tmp_path)


def test_any_damaged_byte_is_found(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path, PLANT)
    sealer.take(1, record(1, [("u/a", at, at / 3, 0) for at in range(50)]))
    sealer.seal(0)
    sealer.close()
    (path,) = segment_paths(tmp_path)
    sound = path.read_bytes()
    for place in range(0, len(sound), 97):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0x10]) + sound[place + 1 :])
        assert "history.file_digest_differs" in {problem.key for problem in check(tmp_path)}
    path.write_bytes(sound[: len(sound) // 2])
    assert "history.segment_unreadable" in {problem.key for problem in check(tmp_path)}
    path.unlink()
    assert [problem.key for problem in check(tmp_path)] == ["history.segment_unreadable"]
    late = Sealer(tmp_path, PLANT)
    late.take(2, record(2, [("u/a", 3, 9.0, 0)]))
    with pytest.raises(Damaged):
        late.seal(0)
    late.close()


def sealed_of(path: Path, told: list[tuple[float, int]], *, each: bool) -> list[int]:
    """Seal samples of one place, each by itself or together; return the qualities sealed."""
    sealer = Sealer(path, PLANT)
    for nth, (value, quality) in enumerate(told, start=1):
        sealer.take(nth, record(nth, [("u/a", 0, value, quality)]))
        if each:
            sealer.seal(0)
    sealer.seal(0)
    sealer.close()
    return [int(quality) for quality in read_rows(path).quality]
