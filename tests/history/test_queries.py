"""Every question gets the answer of plain Python, however much is sealed and compacted."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meltwatch.history.catalogue import HOUR_MS
from meltwatch.history.queries import Gap
from meltwatch.history.trend import TrendColumns, Window
from meltwatch.model.ids import PointCode, SourceId
from meltwatch.model.quality import Quality
from tests.history.scene import FLOW, Scene
from tests.history.telling import STEP_MS, Log, random_log, rulers

POINTS = [PointCode(f"u/{nth}") for nth in range(1, 6)]
FRAMES = 150
END = FRAMES * STEP_MS


def told(scene: Scene, log: Log, seals: set[int], compactions: set[int]) -> None:
    """Tell a log; seal and compact after some of its frames."""
    for nth, (_, record) in enumerate(log):
        scene.take(record)
        if nth in seals | compactions:
            scene.seal()
        if nth in compactions:
            scene.compact(nth * STEP_MS)


cuts = st.sets(st.integers(0, FRAMES), max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), cuts, cuts, st.lists(st.integers(0, END), min_size=1, max_size=4))
def test_a_snapshot_is_what_a_plain_reading_says(
    seed: int, seals: set[int], compactions: set[int], ats: list[int]
) -> None:
    log = random_log(seed, FRAMES)
    with TemporaryDirectory() as place:
        scene = Scene(Path(place))
        told(scene, log, seals, compactions)
        values = rulers(log)
        for at in (*ats, END * 2):
            wanted: dict[str, tuple[int, float]] = {}
            for (point, when), value in sorted(values.items()):
                if when <= at:
                    wanted[point] = (when, value)
            found = scene.history.snapshot(at)
            pairs = zip(found.at.tolist(), found.value.tolist(), strict=True)
            assert dict(zip(found.points, pairs, strict=True)) == wanted
            some = scene.history.snapshot(at, POINTS[:1])
            assert set(some.points) == {one for one in wanted if one == POINTS[0]}


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    cuts,
    cuts,
    st.tuples(st.integers(0, END), st.integers(60_000, END)),
    st.sampled_from([1, 3, 50]),
    st.sampled_from([None, 30_000, 200_000]),
)
def test_a_window_of_whole_minutes_is_what_a_plain_reading_says(
    seed: int,
    seals: set[int],
    compactions: set[int],
    where: tuple[int, int],
    width: int,
    stale_ms: int | None,
) -> None:
    log = random_log(seed, FRAMES)
    window = Window(at_from=where[0], at_to=sum(where), width=width, stale_ms=stale_ms)
    with TemporaryDirectory() as place:
        scene = Scene(Path(place))
        told(scene, log, seals, compactions)
        found = scene.history.window(dict.fromkeys(POINTS, stale_ms), window)
        plain = Scene(Path(place) / "plain")
        told(plain, log, set(), set())
        assert found == plain.history.window(dict.fromkeys(POINTS, stale_ms), window)
        for point in POINTS:
            check_steps(found[point], log, point, window)


def check_steps(found: TrendColumns, log: Log, point: str, window: Window) -> None:
    """Every value lies in its step, between its least and most, which are values themselves."""
    values = {
        at: value
        for (code, at), value in rulers(log).items()
        if code == point and window.at_from <= at <= window.at_to
    }
    assert len(found.at) <= window.width + 1
    assert max(values.values(), default=None) == max(
        (one for one in found.most if one is not None), default=None
    )
    assert min(values.values(), default=None) == min(
        (one for one in found.least if one is not None), default=None
    )
    before = window.at_from - 1
    for at, least, most, last in zip(found.at, found.least, found.most, found.last, strict=True):
        inside = [value for when, value in sorted(values.items()) if before < when <= at]
        assert (min(inside, default=None), max(inside, default=None)) == (least, most)
        assert last == values.get(at)
        before = at


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "history")


def test_a_silence_within_a_minute_is_told_exactly(scene: Scene) -> None:
    instants = [*range(0, 20_000, 1000), *range(45_000, HOUR_MS, 1000)]
    scene.frame(*((FLOW, at, 1.0, 0) for at in instants))
    scene.seal()
    scene.compact()
    window = Window(at_from=0, at_to=HOUR_MS - 1, width=10)
    drawn = scene.history.window({FLOW: 5000}, window)[FLOW]
    assert drawn.blind == ((24_000, 45_000),)


def test_what_comes_late_for_a_compacted_hour_is_in_every_answer(scene: Scene) -> None:
    scene.frame((FLOW, 1000, 1.0, 0), (FLOW, HOUR_MS + 1000, 2.0, 0))
    scene.frame((FLOW, 2 * HOUR_MS, 3.0, Quality.BAD))
    scene.seal()
    scene.compact()
    scene.frame((FLOW, HOUR_MS + 1000, 9.0, Quality.BAD), (FLOW, 5000, 7.0, 0))
    for change in ("", "seal", "compact"):
        if change:
            getattr(scene, change)()
        held = scene.history.last(10 * HOUR_MS)
        assert (held.at.tolist(), held.value.tolist()) == ([5000], [7.0])
        window = Window(at_from=0, at_to=3 * HOUR_MS - 1, width=3)
        assert scene.history.window({FLOW: None}, window)[FLOW].most == (7.0, None, None)


def test_the_gap_map_says_what_is_complete_lost_and_neither(scene: Scene) -> None:
    scene.frame((FLOW, 500, 1.0, 0), complete=(0, 1000))
    scene.frame(complete=(1000, 2000), epoch="e1")
    scene.seal()
    scene.frame((FLOW, 6000, 1.0, 0), complete=(5000, 6000), epoch="e2")
    scene.frame(complete=(3000, 3000), epoch="e1", lost=((3000, 4000),))
    gaps = scene.history.gaps((0, 7000), points={FLOW: 1000})
    assert gaps.silent == {FLOW: ((0, 500), (1500, 6000))}
    assert [(one.state, one.begins, one.ends) for one in gaps.sources] == [
        ("complete", 0, 2000),
        ("incomplete", 2000, 3000),
        ("lost", 3000, 4000),
        ("incomplete", 4000, 5000),
        ("complete", 5000, 6000),
        ("incomplete", 6000, 7000),
    ]
    scene.seal()
    assert scene.history.gaps((0, 7000)).sources == gaps.sources
    other = scene.history.gaps((0, 10), [SourceId("other")]).sources
    assert other == (Gap(source="other", state="incomplete", begins=0, ends=10),)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_holds_what_rules(scene: Scene, form: str) -> None:
    log = random_log(5, FRAMES)
    told(scene, log, {40, 90}, {90})
    window = (10 * STEP_MS, 140 * STEP_MS)
    data = b"".join(scene.history.export(POINTS[:2], window, "csv" if form == "csv" else "parquet"))
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        assert rows[0]["time"].startswith("1970-01-01T00:")
    else:
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
    found = {
        (row["point"], int(row["at"])): float(row["value"])
        for row in rows
        if not int(row["quality"]) & Quality.BAD
    }
    assert found == {
        (point, at): value
        for (point, at), value in rulers(log).items()
        if point in POINTS[:2] and window[0] <= at <= window[1]
    }


def test_nothing_told_is_an_empty_answer(scene: Scene) -> None:
    assert scene.history.last(0).points == ()
    assert scene.history.gaps((0, 10)).sources == ()
    assert b"".join(scene.history.export([FLOW], (0, 10), "csv")).count(b"\n") == 1
