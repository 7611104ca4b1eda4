"""A recorded file becomes frames: instants, columns, what is left out, what comes out of order."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meltwatch.collect.play import Cut, Part, Tally, cut_of, parts_of
from meltwatch.collect.recording import Mapping, PlayRefused, lines_of, mapping_of

SECOND = Cut(step_ms=1_000, joined=False)
MAX = cut_of(None)
POINTS: dict[str, Any] = {"rig/flow": {"column": "flow", "unit": "L/min"}, "rig/temp": "temp"}
T0 = 1_583_757_277_000
"""2020-03-09T12:34:37Z."""


def mapping(**other: Any) -> Mapping:
    time = {"column": "time", **other.pop("time", {})}
    return msgspec.convert({"time": time, "points": POINTS, **other}, Mapping)


def play(
    text: str, told: Mapping | None = None, cut: Cut = SECOND, at: int | None = None
) -> tuple[list[Part], Tally]:
    tally = Tally()
    lines = text.strip("\n").splitlines(keepends=True)
    return list(parts_of(lines, told or mapping(), cut, tally, at)), tally


def instants(text: str, told: Mapping, at: int | None = None) -> list[int]:
    parts, _ = play(text, told, MAX, at)
    return [row[1] for part in parts for row in part.rows if row[0] == "rig/flow"]


def rows(*told: str) -> str:
    """Return a file with rows of `seconds from T0,flow,temp`."""
    lines = [one.split(",", 1) for one in told]
    return "\n".join(["time,flow,temp", *(f"{T0 / 1000 + float(s):.3f},{c}" for s, c in lines)])


UNIX = mapping(time={"format": "unix_s"})


def test_a_row_becomes_samples_of_its_instant() -> None:
    parts, tally = play("time,flow,temp\n2020-03-09 12:34:37,32.5,70\n")
    assert parts == [
        Part(T0 - 1, T0, [["rig/flow", T0, 32.5, 0, "L/min"], ["rig/temp", T0, 70.0]], [2, 2])
    ]
    assert (tally.rows, tally.samples, tally.problems()) == (1, 2, [])


def test_a_frame_holds_a_second_and_empty_seconds_complete_too() -> None:
    parts, _ = play(rows("0,1,1", "0.5,2,2", "1,3,3", "3.2,4,4"), UNIX)
    told = [(one.complete_to - T0, [row[1] - T0 for row in one.rows]) for one in parts]
    assert told == [
        (0, [0, 0]),
        (1000, [500, 500, 1000, 1000]),
        (2000, []),
        (3000, []),
        (3200, [3200] * 2),
    ]
    assert all(before.complete_to == after.complete_from for before, after in pairwise(parts))


def test_nothing_beyond_the_last_instant_is_complete() -> None:
    parts, _ = play(rows("0,1,1", "2.5,2,2"), UNIX, MAX)
    assert parts[-1].complete_to == T0 + 2500


@pytest.mark.parametrize("speed", [0.25, 1, 60, 1000, None])
def test_at_any_speed_the_same_samples_and_the_same_first_instant(speed: float | None) -> None:
    text = rows(*(f"{n * 7.3:.1f},{n},{-n}" for n in range(200)))
    parts, _ = play(text, UNIX, cut_of(speed))
    slow, _ = play(text, UNIX)
    assert [row for one in parts for row in one.rows] == [row for one in slow for row in one.rows]
    assert (parts[0], parts[-1].complete_to) == (slow[0], slow[-1].complete_to)
    assert all(before.complete_to == after.complete_from for before, after in pairwise(parts))
    assert all(p.complete_from < row[1] <= p.complete_to for p in parts for row in p.rows)


@pytest.mark.parametrize(
    ("speed", "step_ms"), [(0.1, 1000), (1, 1000), (10, 1000), (11, 2000), (600, 60_000)]
)
def test_a_frame_comes_at_most_every_tenth_of_a_second(speed: float, step_ms: int) -> None:
    assert cut_of(speed).step_ms == step_ms


def test_a_long_silence_is_one_frame_when_nobody_waits_for_it() -> None:
    parts, _ = play(rows("0,1,1", "864000,2,2"), UNIX, MAX)
    assert [len(one.rows) for one in parts] == [2, 2]
    assert parts[-1].complete_to == T0 + 864_000_000


def test_a_frame_of_many_rows_is_cut_and_completes_only_what_is_told() -> None:
    cut = Cut(step_ms=1_000, joined=False, most_rows=4)
    parts, tally = play(
        rows("0,1,1", "0.1,1,1", "0.2,1,1", "0.3,1,1", "0.3,2,2", "1,1,1"), UNIX, cut
    )
    assert [len(one.rows) for one in parts] == [2, 4, 4, 2]
    assert [one.complete_to - T0 for one in parts] == [0, 299, 999, 1000]
    assert tally.corrections == 0


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"separator": ";"}, "time;flow;temp\n{t};1.5;2"),
        ({"separator": "\t"}, "time\tflow\ttemp\n{t}\t1.5\t2"),
        ({"separator": ";", "decimal": ","}, "time;flow;temp\n{t};1,5;2"),
        ({}, 'time,"flow",temp\r\n{t}, 1.5 ,"2"\r\n'),
        ({}, "\n".join(["note,temp,flow,time", '"a, b",2,15e-1,{t}'])),
        ({}, "time,flow,temp\n{t},1.5,2,,"),
    ],
)
def test_separators_marks_quotes_and_other_columns(told: dict[str, Any], text: str) -> None:
    parts, tally = play(text.format(t="2020-03-09T12:34:37"), mapping(**told))
    assert [row[:3] for row in parts[0].rows] == [["rig/flow", T0, 1.5], ["rig/temp", T0, 2.0]]
    assert not tally.problems()


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ("", "play.cell_missing"),
        ("NaN", "play.cell_missing"),
        ("Bad", "play.cell_unreadable"),
        ("inf", "play.cell_unreadable"),
        ("1_000", "play.cell_unreadable"),
        ('"1,000"', "play.cell_unreadable"),
    ],
)
def test_a_bad_cell_is_left_out_and_named_and_its_neighbours_count(cell: str, key: str) -> None:
    parts, tally = play(rows("0,1,1", f"1,{cell},2", "2,3,3"), UNIX)
    assert [len(one.rows) for one in parts] == [2, 1, 2]
    (problem,) = tally.problems()
    assert (problem.place, problem.key, problem.params["count"]) == ("row 3, column flow", key, 1)


@pytest.mark.parametrize(
    ("line", "place", "key"),
    [
        ("soon,1,1", "row 3, column time", "play.time_unreadable"),
        ("nan,1,1", "row 3, column time", "play.time_unreadable"),
        ("1e99999,1,1", "row 3, column time", "play.time_unreadable"),
        ("-5,1,1", "row 3, column time", "play.time_unreadable"),
        (",1,1", "row 3, column time", "play.time_missing"),
        ("1583757278,1,1,5", "row 3", "play.row_too_long"),
        ('"1583757278,1,1', "row 3, column time", "play.time_unreadable"),
    ],
)
def test_a_row_without_a_sound_instant_is_left_out_whole(line: str, place: str, key: str) -> None:
    parts, tally = play(rows("0,1,1") + f"\n{line}\n" + rows("2,3,3").splitlines()[1], UNIX)
    assert [row[2] for one in parts for row in one.rows] == [1.0, 1.0, 3.0, 3.0]
    (problem,) = tally.problems()
    assert (problem.place, problem.key) == (place, key)


def test_many_bad_cells_are_told_as_ranges_and_a_report_stays_short() -> None:
    told = [f"{n},{'' if n % 10 < 3 else n},{n}" for n in range(1_000)]
    _, tally = play(rows(*told), UNIX)
    (problem,) = tally.problems()
    assert problem.place.startswith("rows 2-4, 12-14, 22-24,")
    assert problem.place.endswith(", ..., column flow")
    assert problem.params["count"] == 300


def test_a_short_row_lacks_its_last_cells_and_blank_lines_are_no_rows() -> None:
    parts, tally = play(rows("0,1,1") + "\n\n  \n" + rows("1,2").splitlines()[1] + "\n\n", UNIX)
    assert [len(one.rows) for one in parts] == [2, 1]
    assert [(one.place, one.key) for one in tally.problems()] == [
        ("row 5, column temp", "play.cell_missing")
    ]


def test_a_row_older_than_what_is_complete_goes_as_a_correction_and_is_told() -> None:
    parts, tally = play(rows("0,1,1", "5,2,2", "3,3,3", "6,4,4"), UNIX)
    late = next(one for one in parts if any(row[1] == T0 + 3000 for row in one.rows))
    assert late.complete_from == T0 + 4000
    assert (tally.corrections, tally.first_correction) == (1, (4, 3))
    (problem,) = tally.problems()
    assert (problem.place, problem.key) == ("row 4", "play.correction")


def test_disorder_within_what_is_not_complete_is_no_correction() -> None:
    parts, tally = play(rows("0,1,1", "0.8,2,2", "0.2,3,3", "1,4,4"), UNIX)
    assert [one.complete_to - T0 for one in parts] == [0, 1000]
    assert tally.corrections == 0


def test_rows_of_one_instant_are_sent_in_their_order_and_counted() -> None:
    parts, tally = play(rows("0,1,1", "1,2,2", "1,2,2", "1,3,3"), UNIX)
    assert [row[2] for row in parts[1].rows if row[0] == "rig/flow"] == [2.0, 2.0, 3.0]
    assert tally.repeated == 2


@pytest.mark.parametrize(
    ("time", "cell", "at"),
    [
        ({}, "2020-03-09 12:34:37", T0),
        ({}, "2020-03-09T20:34:37.250+08:00", T0 + 250),
        ({"zone": "Asia/Shanghai"}, "2020-03-09 20:34:37", T0),
        ({"zone": "Asia/Shanghai"}, "2020-03-09T12:34:37Z", T0),
        ({"zone": "+08:00"}, "2020-03-09 20:34:37", T0),
        ({"format": "%d.%m.%Y %H:%M:%S"}, "09.03.2020 12:34:37", T0),
        ({"format": "%Y/%m/%d %H:%M:%S.%f"}, "2020/03/09 12:34:37.0625", T0 + 62),
        ({"format": "%Y%m%d%H%M%S%z"}, "20200309203437+0800", T0),
        ({"format": "unix_ms"}, "1583757277250", T0 + 250),
        ({"format": "unix_s"}, "1583757277.0015", T0 + 2),
    ],
)
def test_instants_of_many_clocks(time: dict[str, Any], cell: str, at: int) -> None:
    assert instants(f"time,flow,temp\n{cell},1,1", mapping(time=time)) == [at]


def test_the_hour_that_comes_twice_is_read_in_the_files_order() -> None:
    told = ["01:30:00", "02:30:00", "02:59:59", "02:00:00", "02:20:00", "03:00:00"]
    text = "\n".join(["time,flow,temp", *(f"2020-10-25 {one},1,1" for one in told)])
    read = instants(text, mapping(time={"zone": "Europe/Berlin"}))
    start = round(datetime.fromisoformat("2020-10-25T01:30:00+02:00").timestamp() * 1000)
    assert [(at - start) // 1000 for at in read] == [0, 3600, 5399, 5400, 6600, 9000]


def test_an_hour_that_the_clocks_jump_over_is_no_instant() -> None:
    text = "time,flow,temp\n2020-03-29 01:59:59,1,1\n2020-03-29 02:30:00,2,2"
    parts, tally = play(text, mapping(time={"zone": "Europe/Berlin"}))
    assert [row[2] for one in parts for row in one.rows] == [1.0, 1.0]
    assert [one.place for one in tally.problems()] == ["row 3, column time"]


def test_a_file_is_moved_as_a_whole_when_asked() -> None:
    moved, _ = play(rows("0,1,1", "2.5,2,2"), UNIX, at=T0 + 86_400_000)
    own, _ = play(rows("0,1,1", "2.5,2,2"), UNIX)
    assert [one.complete_to - 86_400_000 for one in moved] == [one.complete_to for one in own]


def test_seconds_from_the_beginning_want_to_know_when_that_was() -> None:
    told = mapping(time={"format": "seconds"})
    assert instants("time,flow,temp\n0,1,1\n1.5,2,2", told, T0) == [T0, T0 + 1500]
    with pytest.raises(PlayRefused) as refused:
        play("time,flow,temp\n0,1,1", told)
    assert [one.key for one in refused.value.problems] == ["play.at_wanted"]


def test_all_columns_that_a_head_lacks_are_named_at_once() -> None:
    with pytest.raises(PlayRefused) as refused:
        play("when,flow,flow\n1,2,3")
    told = [(one.place, one.key) for one in refused.value.problems]
    assert told == [
        ("time", "play.column_unknown"),
        ("flow", "play.column_twice"),
        ("temp", "play.column_unknown"),
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [("time,flow,temp\n", "play.no_rows"), ("time,flow,temp\nsoon,1,1\n", "play.time_unreadable")],
)
def test_a_file_without_a_single_instant_is_refused(text: str, key: str) -> None:
    with pytest.raises(PlayRefused) as refused:
        play(text)
    assert [one.key for one in refused.value.problems] == [key]


def test_a_mapping_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        "time: {column: t, format: '%H:%M', zone: Asia/Shanghai}\n"
        "separator: tab\npoints: {rig/flow: {column: F, unit: L/min}, rig/temp: T}\n"
    )
    told = mapping_of(path)
    assert (told.separator, told.time.zone, told.points["rig/temp"]) == ("\t", "Asia/Shanghai", "T")  # type: ignore[index]


def test_all_that_is_wrong_in_a_mapping_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        "time: {column: t, format: soon, zone: Middle-earth/Shire}\n"
        "separator: ';;'\ndecimal: ';'\nencoding: klingon\npoints: {}\n"
    )
    with pytest.raises(PlayRefused) as refused:
        mapping_of(path)
    assert {one.key.removeprefix("play.") for one in refused.value.problems} == {
        "no_points", "separator", "decimal", "encoding", "zone", "format",
    }  # fmt: skip
    assert all(one.place.startswith(str(path)) for one in refused.value.problems)


@pytest.mark.parametrize(
    "text", ["time: {column: t}", "a: [", "- 1", "time: {colum: t}\npoints: {a: b}"]
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(PlayRefused) as refused:
        mapping_of(path)
    assert [one.key for one in refused.value.problems] == ["malformed"]


def test_a_byte_order_mark_and_stray_bytes_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftime,flow,temp\r\n1583757277,1,\xff\r\n1583757278,2,2\r\n")
    tally = Tally()
    parts = list(parts_of(lines_of(path, UNIX), UNIX, SECOND, tally))
    assert [len(one.rows) for one in parts] == [1, 2]
    assert [one.place for one in tally.problems()] == ["row 2, column temp"]


def test_a_chinese_export_in_its_own_encoding(tmp_path: Path) -> None:
    told = msgspec.convert(
        {"time": {"column": "时间"}, "points": {"rig/flow": "流量"}, "encoding": "gb18030"}, Mapping
    )
    path = tmp_path / "a.csv"
    path.write_bytes("时间,流量\n2020-03-09 12:34:37,32\n".encode("gb18030"))
    (part,) = parts_of(lines_of(path, told), told, SECOND, Tally())
    assert part.rows == [["rig/flow", T0, 32.0]]
