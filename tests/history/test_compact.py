"""What compaction leaves: one file an hour and class, its roll-ups, and what was held before."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from meltwatch.history import held, minutes
from meltwatch.history.catalogue import HOUR_MS, Catalogue
from meltwatch.history.compact import GRACE_MS
from meltwatch.history.disk import HELD, MINUTES, RETIRED, SEGMENTS, open_parquet
from meltwatch.history.keeping import DAY_MS, OURS, STANDARD, Class, Keeping, problems_of
from meltwatch.history.read import check, read_rows, segment_paths
from meltwatch.history.sealer import Sealer
from meltwatch.history.trend import Window
from meltwatch.model.ids import PointCode
from tests.history.scene import FLOW, LONG_AFTER, Scene
from tests.history.telling import PLANT

GOLDEN = Path(__file__).parent / "golden"
FAST = PointCode("well-1/fast")
BY_CLASS = Keeping(
    version=2,
    basis="a test",
    raw_days=10,
    minutes_days=20,
    classes={"fast": Class(points=("*/fast",), raw_days=1, minutes_days=30)},
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "history")


def view(scene: Scene) -> list[tuple[str, int | None, str]]:
    with closing(Catalogue(scene.directory)) as catalogue:
        return [(one.kind, one.hour, one.class_) for one in catalogue.view().segments]


def held_at(scene: Scene, hour: int) -> dict[str, float]:
    with closing(Catalogue(scene.directory)) as catalogue:
        found = catalogue.held(hour)
    assert found is not None
    with open_parquet(scene.directory / HELD / found.path, []) as file:
        told = held.decode(file.read())
    return dict(zip(told.points, told.value.tolist(), strict=True))


def test_a_minute_keeps_count_extremes_ends_sum_and_silence(scene: Scene) -> None:
    scene.frame((FLOW, 1000, 5.0, 0), (FLOW, 4000, -2.0, 1), (FLOW, 9000, 8.0, 0))
    scene.frame((FLOW, 20_000, 1.0, 2), (FLOW, 60_000, 6.0, 2), (FLOW, 1500, 9.0, 64), mark="test")
    scene.frame((FLOW, 20_000, 1.0, 2), (FLOW, 60_000, 6.0, 2))
    scene.seal()
    scene.compact()
    (path,) = (scene.directory / MINUTES).iterdir()
    with open_parquet(path, ["point"]) as file:
        told = minutes.decode(file.read())
    rows = [{name: getattr(told, name)[nth].item() for name in minutes.COLUMNS} for nth in (0, 1)]
    assert rows[0] == {
        "point": 0, "minute": 0, "count": 4, "good": 3, "least": -2.0, "most": 8.0, "first": 5.0,
        "last": 8.0, "total": 11.0, "at_least": 4000, "at_most": 9000, "at_first": 1000,
        "at_last": 9000, "ended": 20_000, "gap": 5000, "quality_last": 0,
    }  # fmt: skip
    assert (rows[1]["count"], rows[1]["good"], rows[1]["ended"]) == (1, 0, 60_000)
    assert np.isnan(rows[1]["least"])


def test_what_was_held_goes_on_through_silent_hours_and_follows_late_values(scene: Scene) -> None:
    for hour in (0, 3, 5):
        scene.frame((FAST, hour * HOUR_MS, float(hour), 0))
    scene.frame((FLOW, 1000, 10.0, 0))
    scene.seal()
    scene.compact()
    assert held_at(scene, 5) == {FLOW: 10.0, FAST: 3.0}
    scene.frame((FLOW, 2000, 11.0, 0), (FAST, HOUR_MS, 1.0, 0))
    scene.seal()
    scene.compact()
    assert held_at(scene, 3) == {FLOW: 11.0, FAST: 1.0}
    assert held_at(scene, 5) == {FLOW: 11.0, FAST: 3.0}
    assert check(scene.directory) == []


def test_a_running_hour_s_small_segments_become_one(scene: Scene) -> None:
    for nth in range(12):
        scene.frame((FLOW, nth * 1000, float(nth), 0))
        scene.seal()
    scene.compact(now=HOUR_MS)
    assert view(scene) == [("segment", 0, "")]
    assert read_rows(scene.directory).value.tolist() == [float(nth) for nth in range(12)]


def test_a_reader_with_the_old_files_reads_on_until_the_grace_is_over(scene: Scene) -> None:
    scene.frame((FLOW, 0, 1.0, 0))
    scene.seal()
    (old,) = segment_paths(scene.directory)
    scene.compact()
    assert not old.exists()
    with open_parquet(old) as file:
        assert file.metadata.num_rows == 1
    scene.compact(LONG_AFTER + GRACE_MS)
    assert list((scene.directory / RETIRED).iterdir()) == []


def test_each_class_is_kept_as_long_as_it_says(scene: Scene) -> None:
    scene.frame((FLOW, 0, 1.0, 0), (FAST, 0, 2.0, 0))
    scene.seal()
    made = HOUR_MS * 2
    scene.compact(made, BY_CLASS)
    assert view(scene) == [("hour", 0, "fast"), ("hour", 0, STANDARD)]
    scene.compact(made + DAY_MS, BY_CLASS)
    assert view(scene) == [("hour", 0, STANDARD)]
    window = Window(at_from=0, at_to=HOUR_MS - 1, width=60)
    scene.frame((FAST, 100, 9.0, 0))
    scene.seal()
    for _ in range(2):
        drawn = scene.history.window({FAST: None, FLOW: None}, window)
        assert (drawn[FAST].most, drawn[FLOW].most) == ((2.0,), (1.0,)), "its roll-up is left"
        scene.compact(made + 2 * DAY_MS, BY_CLASS)
    assert view(scene) == [("hour", 0, STANDARD)], "what came too late is dropped"
    scene.compact(made + 25 * DAY_MS, BY_CLASS)
    drawn = scene.history.window({FAST: None, FLOW: None}, window)
    assert (drawn[FAST].most, drawn[FLOW].most) == ((2.0,), ())
    scene.compact(made + 35 * DAY_MS, BY_CLASS)
    assert [*(scene.directory / SEGMENTS).iterdir(), *(scene.directory / MINUTES).iterdir()] == []
    with closing(Catalogue(scene.directory)) as catalogue:
        assert set(catalogue.horizons()) == {
            ("raw", "fast"), ("raw", STANDARD), ("minutes", "fast"), ("minutes", STANDARD)
        }  # fmt: skip


def test_a_configuration_that_does_nothing_or_contradicts_itself_is_refused() -> None:
    assert list(problems_of(OURS, "history", [FLOW])) == []
    wrong = Keeping(
        version=1,
        basis="?",
        raw_days=9,
        minutes_days=8,
        classes={"Fast": Class(points=("x/*",), raw_days=2, minutes_days=1)},
    )
    found = {(one.place, one.key) for one in problems_of(wrong, "history", [FLOW])}
    assert found == {
        ("history/minutes_days", "history.minutes_shorter"),
        ("history/classes/Fast", "history.class_name"),
        ("history/classes/Fast/minutes_days", "history.minutes_shorter"),
        ("history/classes/Fast/points", "history.class_of_nothing"),
    }


def test_a_history_of_version_1_is_read_and_brought_up(tmp_path: Path) -> None:
    directory = tmp_path / "history"
    shutil.copytree(GOLDEN / "history-1", directory)
    scene = Scene(directory)
    window = Window(at_from=0, at_to=2 * HOUR_MS - 1, width=2)
    drawn = scene.history.window({PointCode("u/a"): None}, window)[PointCode("u/a")]
    assert (drawn.least, drawn.most) == ((1.0, 3.0), (9.0, 4.0))
    Sealer(directory, PLANT).close()
    assert scene.history.window({PointCode("u/a"): None}, window)[PointCode("u/a")] == drawn
    scene.compact()
    assert scene.history.window({PointCode("u/a"): None}, window)[PointCode("u/a")] == drawn
    assert view(scene) == [("hour", 0, STANDARD), ("hour", 1, STANDARD)]
    assert check(directory) == []


def test_the_golden_history_of_version_2_is_read(tmp_path: Path) -> None:
    """Written by the first program of version 2: segments, a delta, hours, roll-ups, held."""
    directory = tmp_path / "history"
    shutil.copytree(GOLDEN / "history-2", directory)
    assert check(directory) == []
    rows = read_rows(directory)
    points = [rows.points[place] for place in rows.point.tolist()]
    columns = (rows.at.tolist(), rows.value.tolist(), rows.quality.tolist())
    assert list(zip(points, *columns, strict=True)) == [
        ("u/a", HOUR_MS - 2000, 1.0, 0),
        ("u/a", HOUR_MS - 1000, 2.0, 1),
        ("u/a", HOUR_MS - 1000, 9.0, 16),
        ("u/a", HOUR_MS + 1000, 3.0, 0),
        ("u/a", HOUR_MS + 1000, 30.0, 64),
        ("u/a", 2 * HOUR_MS + 2000, 4.0, 0),
        ("u/b", HOUR_MS - 1000, 5.0, 0),
        ("u/b", HOUR_MS, 7.0, 2),
        ("井/压力", HOUR_MS - 1000, 0.1 + 0.2, 128),
    ]
    scene = Scene(directory)
    found = scene.history.snapshot(HOUR_MS + 500)
    assert dict(zip(found.points, found.value.tolist(), strict=True)) == {
        "u/a": 9.0, "u/b": 5.0, "井/压力": 0.1 + 0.2
    }  # fmt: skip
    assert held_at(scene, 1) == {"u/a": 2.0, "u/b": 5.0, "井/压力": 0.1 + 0.2}
    window = Window(at_from=HOUR_MS, at_to=2 * HOUR_MS - 1, width=2)
    assert scene.history.window({PointCode("u/a"): None}, window)[PointCode("u/a")].last == (3.0,)
    assert scene.history.gaps((0, 2)).sources[0].state == "complete"
