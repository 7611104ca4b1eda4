"""A trend is what was stored, thinned: no extreme lost, nothing doubled, no hole drawn over."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meltwatch.history.catalogue import FILE, Catalogue, Segment
from meltwatch.history.errors import Damaged, HistoryError
from meltwatch.history.read import segment_paths
from meltwatch.history.trend import TrendColumns
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import Stored
from meltwatch.model.ids import PointCode
from tests.history.scene import FLOW, Scene

OTHER = PointCode("well-1/other")
BAD = 2


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "history")


def test_nothing_sealed_and_nothing_told_is_an_empty_trend(scene: Scene) -> None:
    assert scene.trend(0, 1000) == TrendColumns(at=(), least=(), most=(), last=(), blind=())


def test_what_is_sealed_and_what_is_not_yet_are_one(scene: Scene) -> None:
    scene.frame((FLOW, 1, 10.0, 0), (OTHER, 1, 99.0, 0), (FLOW, 2, 11.0, 0))
    scene.seal()
    scene.frame((FLOW, 3, 12.0, 0))
    scene.frame((FLOW, 4, 13.0, 0), (FLOW, 9, 14.0, 0))
    told = scene.trend(1, 4)
    assert told.at == (1, 2, 3, 4)
    assert told.last == (10.0, 11.0, 12.0, 13.0)


def test_a_test_frame_is_not_the_plant(scene: Scene) -> None:
    scene.frame((FLOW, 1, 10.0, 64), mark="test")
    scene.seal()
    scene.frame((FLOW, 2, 10.0, 64), mark="test")
    assert scene.trend(0, 10).at == ()


@pytest.mark.parametrize("sealed", [0, 1, 2])
def test_a_corrected_value_is_told_once_as_corrected(scene: Scene, sealed: int) -> None:
    for number, value in enumerate((10.0, 70.0)):
        if number == sealed:
            scene.seal()
        scene.frame((FLOW, 5, value, 0))
    if sealed == 2:
        scene.seal()
    assert scene.trend(0, 10).last == (70.0,)


def test_a_step_keeps_its_extremes(scene: Scene) -> None:
    values = [5.0] * 100
    values[37], values[62] = -3.0, 40.0
    scene.frame(*((FLOW, at, value, 0) for at, value in enumerate(values)))
    scene.seal()
    told = scene.trend(0, 99, width=4)
    assert told.at == (24, 49, 74, 99)
    assert told.least == (5.0, -3.0, 5.0, 5.0)
    assert told.most == (5.0, 5.0, 40.0, 5.0)
    assert told.last == (5.0, 5.0, 5.0, 5.0)


def test_a_bad_value_is_no_value(scene: Scene) -> None:
    scene.frame((FLOW, 1, 10.0, 0), (FLOW, 2, 99.0, BAD), (FLOW, 3, math.nan, BAD))
    told = scene.trend(0, 3, width=1)
    assert (told.least, told.most, told.last) == ((10.0,), (10.0,), (None,))


def test_where_the_point_was_stale_it_is_blind(scene: Scene) -> None:
    scene.frame(*((FLOW, at, 1.0, 0) for at in (2000, 3000, 9000, 9500)))
    assert scene.trend(0, 20_000, stale_ms=2000).blind == (
        (0, 2000),
        (5000, 9000),
        (11_500, 20_000),
    )


def test_a_value_from_before_the_window_still_holds_in_it(scene: Scene) -> None:
    scene.frame((FLOW, 900, 1.0, 0), (FLOW, 2000, 1.0, 0))
    assert scene.trend(1000, 2500, stale_ms=2000).blind == ()


def test_a_point_without_any_value_is_blind_all_over(scene: Scene) -> None:
    assert scene.trend(0, 1000, stale_ms=100).blind == ((0, 1000),)


def test_a_seal_between_two_looks_loses_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue is asked, the sealer seals, the log is read: every sample is in one of them."""
    scene.frame((FLOW, 1, 10.0, 0))
    scene.seal()
    scene.frame((FLOW, 2, 11.0, 0))
    segments = Catalogue.segments

    def and_then_seal(self: Catalogue, *between: int | None) -> list[Segment]:
        monkeypatch.setattr(Catalogue, "segments", segments)
        found = segments(self, *between)
        scene.seal()
        return found

    monkeypatch.setattr(Catalogue, "segments", and_then_seal)
    assert scene.trend(0, 10).last == (10.0, 11.0)


def test_what_retention_removes_between_two_looks_is_found_in_the_segments(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.frame((FLOW, 1, 10.0, 0))
    scene.frame((FLOW, 2, 11.0, 0))
    read = scene.stream.read

    def removed(partition: str, after: int, _: int) -> list[Stored]:
        monkeypatch.setattr(scene.stream, "read", read)
        scene.seal()
        raise Truncated(partition, after, 3)

    monkeypatch.setattr(scene.stream, "read", removed)
    assert scene.trend(0, 10).last == (10.0, 11.0)


def test_a_segment_that_is_gone_is_damage_and_not_an_empty_trend(scene: Scene) -> None:
    scene.frame((FLOW, 1, 10.0, 0))
    scene.seal()
    for path in segment_paths(scene.directory):
        path.unlink()
    with pytest.raises(Damaged):
        scene.trend(0, 10)


def test_a_catalogue_that_cannot_be_read_is_not_an_empty_one(scene: Scene) -> None:
    scene.frame((FLOW, 1, 10.0, 0))
    scene.seal()
    (scene.directory / FILE).write_bytes(b"nonsense" * 512)
    with pytest.raises(HistoryError):
        scene.trend(0, 10)


rows = st.tuples(
    st.integers(0, 60), st.sampled_from([1.0, 2.0, 3.5, -4.0]), st.sampled_from([0, 0, 0, 1, BAD])
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    frames=st.lists(st.lists(rows, max_size=8), max_size=8),
    cut=st.integers(0, 8),
    width=st.integers(1, 70),
)
def test_a_trend_is_what_a_plain_reading_says(
    tmp_path_factory: pytest.TempPathFactory,
    frames: list[list[tuple[int, float, int]]],
    cut: int,
    width: int,
) -> None:
    """However much is sealed, steps are those of the rows that rule, as plain Python finds them."""
    scene = Scene(tmp_path_factory.mktemp("history"))
    ruling: dict[int, tuple[float, bool]] = {}
    good: set[tuple[int, float]] = set()
    for number, told in enumerate(frames):
        if number == cut:
            scene.seal()
        scene.frame(*((FLOW, at, value, bits) for at, value, bits in told))
        for at, value, bits in told:
            good |= {(at, value)} if not bits & BAD else set()
            ruling[at] = (value, True)
    steps: dict[int, list[tuple[int, float | None]]] = {}
    for at in sorted(ruling):
        value, _ = ruling[at]
        steps.setdefault(at * width // 61, []).append((at, value if (at, value) in good else None))
    wanted = [
        (
            step[-1][0],
            min((value for _, value in step if value is not None), default=None),
            max((value for _, value in step if value is not None), default=None),
            step[-1][1],
        )
        for step in steps.values()
    ]
    found = scene.trend(0, 60, width)
    assert list(zip(found.at, found.least, found.most, found.last, strict=True)) == wanted
