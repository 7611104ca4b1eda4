"""Plain DuckDB reads what was sealed, and it is what was told, wherever the log was cut."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meltwatch.history.read import check, read_rows
from meltwatch.history.sealer import Sealer
from meltwatch.model.log import Mark
from tests.history.telling import (
    DOCUMENT,
    PLANT,
    Log,
    ask,
    cut,
    differences,
    kept,
    random_log,
    record,
    rulers,
    snippets,
)

ROW = st.tuples(
    st.sampled_from(["u/a", "u/b", "井/压力"]),
    st.sampled_from([-7, 0, 1000, 2000, 1_790_000_000_001]),
    st.sampled_from([0.0, -0.0, 0.1 + 0.2, 1e300]),
    st.sampled_from([0, 1, 2, 128]),
)
MARK: st.SearchStrategy[Mark] = st.sampled_from(["real", "real", "real", "test"])
EPOCH = st.sampled_from(["e1", "e2", "e3", "e4"])
FRAME = st.tuples(EPOCH, MARK, st.lists(ROW, max_size=8))


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Return a log of several epochs that drain in any order; numbers dense in each."""
    seqs = dict.fromkeys(["e1", "e2", "e3", "e4"], 0)
    log: Log = []
    for epoch, mark, rows in draw(st.lists(FRAME, max_size=8)):
        seqs[epoch] += 1
        log.append((len(log) * 3 + 1, record(seqs[epoch], rows, epoch=epoch, mark=mark)))
    return log


def seal(directory: Path, log: Log, ends: set[int]) -> None:
    sealer = Sealer(directory, PLANT)
    for pos, frame, is_end in cut(log, ends):
        sealer.take(pos, frame)
        if is_end:
            sealer.seal(pos)
    sealer.seal(0)
    sealer.close()


@settings(max_examples=40)
@given(logs(), st.sets(st.integers(0, 7)))
def test_what_was_told_is_sealed_and_nothing_else(log: Log, ends: set[int]) -> None:
    with TemporaryDirectory() as place:
        directory = Path(place)
        seal(directory, log, ends)
        assert check(directory) == []
        told = kept(log)
        assert len(read_rows(directory)) == len(told)
        if told:
            assert differences(directory, told) == []


def test_a_long_log_and_which_rows_rule(tmp_path: Path) -> None:
    log = random_log(3, 400)
    seal(tmp_path, log, {20, 21, 150, 300})
    assert differences(tmp_path, kept(log)) == []
    assert ruled(tmp_path) == rulers(log)


@settings(max_examples=30)
@given(logs(), st.sets(st.integers(0, 7)))
def test_what_rules_is_what_the_journey_holds_whatever_the_order_of_arrival(
    log: Log, ends: set[int]
) -> None:
    with TemporaryDirectory() as place:
        seal(Path(place), log, ends)
        if kept(log):
            assert ruled(Path(place)) == rulers(log)


def test_a_value_that_drains_late_rules_over_no_repeat_sent_behind_it(tmp_path: Path) -> None:
    log = [
        (1, record(1, [("u/a", 0, 5.0, 0)], epoch="e1")),
        (2, record(1, [("u/a", 0, 5.0, 0)], epoch="e2")),
        (3, record(2, [("u/a", 0, 7.0, 0)], epoch="e1")),
    ]
    seal(tmp_path, log, {0, 1})
    assert ruled(tmp_path) == {("u/a", 0): 5.0}


def ruled(directory: Path) -> dict[tuple[object, object], object]:
    """Return what the document's view says that rules."""
    found = ask(directory, snippets()["held"] + snippets()["ruling"] + "FROM ruling")
    return {(row[0], row[1]): row[2] for row in found}


def test_a_difference_is_found(tmp_path: Path) -> None:
    seal(tmp_path, [(1, record(1, [("u/a", 0, 1.0, 0), ("u/a", 1, 2.0, 0)]))], set())
    found = differences(tmp_path, [("u/a", 0, 1.0, 0), ("u/a", 1, 2.5, 0)])
    assert found == [("not sealed", "u/a", 1, 2.5, 0), ("not told", "u/a", 1, 2.0, 0)]


def test_a_segment_tells_its_version(tmp_path: Path) -> None:
    seal(tmp_path, [(4, record(1, [("u/a", 5, 1.0, 0), ("u/b", 7, 2.0, 0)]))], set())
    told = {str(key): str(value) for _, key, value in ask(tmp_path, snippets()["metadata"])}
    digest = told.pop("meltwatch.digest")
    assert digest.startswith("sha256:")
    assert told == {
        "meltwatch.version": "2",
        "meltwatch.enterprise": "plant",
        "meltwatch.kind": "segment",
        "meltwatch.pos_from": "1",
        "meltwatch.pos_to": "4",
        "meltwatch.rows": "2",
        "meltwatch.at_from": "5",
        "meltwatch.at_to": "7",
    }


def blocks() -> dict[str, str]:
    """Return the Python of the document by what its first line says that it needs."""
    found = re.findall(r"```python\n# (\w+)\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return dict(found)


def compacted(directory: Path) -> Log:
    log = random_log(9, 200)
    seal(directory, log, {50, 120})
    with closing(Sealer(directory, PLANT)) as sealer:
        sealer.compact(10**12)
    return log


def test_pyarrow_reads_the_files_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = compacted(tmp_path)
    monkeypatch.chdir(tmp_path)
    told: dict[str, Any] = {}
    exec(blocks()["pyarrow"], told)  # noqa: S102  # the document's own words
    wanted = [(at, value) for point, at, value, _ in kept(log) if point == "u/1" and at < 3_600_000]
    rows = told["rows"].to_pydict()
    assert sorted(zip(rows["at"], rows["value"], strict=True)) == sorted(wanted)


def test_polars_finds_what_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("polars")
    log = compacted(tmp_path)
    monkeypatch.chdir(tmp_path)
    told: dict[str, Any] = {}
    exec(blocks()["polars"], told)  # noqa: S102  # the document's own words
    rows = told["ruling"].to_dicts()
    assert {(row["point"], row["at"]): row["value"] for row in rows} == rulers(log)


def test_roll_ups_by_the_hour_are_what_rules(tmp_path: Path) -> None:
    log = compacted(tmp_path)
    hours: dict[tuple[str, int], list[float]] = {}
    for (point, at), value in sorted(rulers(log).items()):
        hours.setdefault((point, at // 3_600_000), []).append(value)
    found = ask(tmp_path, snippets()["by_hour"] + "FROM by_hour WHERE good > 0")
    assert {(row[0], row[1]): row[2:] for row in found} == {
        place: (len(told), min(told), max(told), pytest.approx(sum(told) / len(told)), told[-1])
        for place, told in hours.items()
    }
