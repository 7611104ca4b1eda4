"""The check of rows: every bad one in quarantine with its reason, every good one a sample."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.errors import Bug
from meltwatch.model.quality import Quality
from meltwatch.transport.admit import admit
from meltwatch.transport.frame import Frame, decode, encode, read
from meltwatch.transport.judge import Admitted, Quarantined, admit_each
from meltwatch.transport.points import book_of
from meltwatch.transport.rows import Row, cells_of
from tests.transport.given import (
    BOOK,
    FLOW,
    FOREIGN,
    FRAME,
    NOW,
    OTHER,
    PHASE,
    PLANT,
    PLAYED,
    PRESSURE,
    TAPED,
    body_with,
    frame,
)

AT = FRAME.complete_to
GOOD, BAD, TEST = int(Quality.GOOD), int(Quality.BAD), int(Quality.TEST)
OUTSIDE = int(Quality.UNCERTAIN | Quality.OUT_OF_RANGE)


@pytest.mark.parametrize(
    ("row", "value", "quality"),
    [
        ([PRESSURE, AT, 0.21], 0.21, GOOD),
        ([PRESSURE, AT, 1], 1.0, GOOD),
        ([PRESSURE, AT, 0.21, 0], 0.21, GOOD),
        ([PRESSURE, AT, 0.21, None, "MPa"], 0.21, GOOD),
        ([PRESSURE, AT, 0.21, 0, None], 0.21, GOOD),
        ([PRESSURE, AT, 0.21, 33, "MPa"], 0.21, 33),
        ([PHASE, AT, 3, 0, "state"], 3.0, GOOD),
        ([PHASE, AT, 2**70], 2.0**70, GOOD),  # no range: whatever is a number
        ([PRESSURE, AT, None], math.nan, BAD),
        ([PRESSURE, AT, None, 32], math.nan, BAD | 32),
        ([PRESSURE, AT, 0.3, BAD], 0.3, BAD),
        ([PRESSURE, AT, 1.0], 1.0, GOOD),  # the edges of the range are inside
        ([PRESSURE, AT, -0.0], -0.0, GOOD),
        ([PRESSURE, AT, 1.0001], 1.0001, OUTSIDE),
        ([PRESSURE, AT, -1], -1.0, OUTSIDE),
        ([PRESSURE, AT, -1, 32], -1.0, OUTSIDE | 32),
        ([PRESSURE, AT, -1, BAD], -1.0, BAD),  # it sets no value, so its range says nothing
        ([PRESSURE, NOW + 5_000, 0.5], 0.5, GOOD),
        ([PRESSURE, 0, 0.5], 0.5, GOOD),
    ],
)
def test_a_row_that_becomes_a_sample(row: list[Any], value: float, quality: int) -> None:
    admitted = both(frame(rows=[row]))
    ((code, at, told, bits),) = admitted.samples.rows()
    assert admitted.quarantined == ()
    assert (code, at, repr(told), bits) == (row[0], row[1], repr(value), quality)


def test_rows_outside_the_interval_are_kept() -> None:
    early, late = [PRESSURE, FRAME.complete_from, 0.1], [PRESSURE, FRAME.complete_to + 1, 0.2]
    assert len(both(frame(rows=[early, late])).samples) == 2


@pytest.mark.parametrize(
    ("row", "key", "params"),
    [
        (7, "row.shape", {"told": "7"}),
        ({"point": PRESSURE}, "row.shape", {"told": f"{{'point': '{PRESSURE}'}}"}),
        ([], "row.shape", {"told": "[]"}),
        ([PRESSURE, AT], "row.shape", None),
        ([PRESSURE, AT, 1, 0, "MPa", 0], "row.shape", None),
        (["well-1/nothing", AT, 1], "row.unknown_point", {"told": "well-1/nothing"}),
        (["", AT, 1], "row.unknown_point", {"told": ""}),
        ([7, AT, 1], "row.unknown_point", {"told": "7"}),
        ([[PRESSURE], AT, 1], "row.unknown_point", None),
        ([None, AT, 1], "row.unknown_point", {"told": "None"}),
        ([FOREIGN, AT, 1], "row.foreign_point", {"point": FOREIGN, "source": OTHER}),
        ([PRESSURE, 1.5, 1], "row.at_not_an_instant", {"told": "1.5"}),
        ([PRESSURE, float(AT), 1], "row.at_not_an_instant", None),
        ([PRESSURE, str(AT), 1], "row.at_not_an_instant", {"told": str(AT)}),
        ([PRESSURE, True, 1], "row.at_not_an_instant", {"told": "True"}),
        ([PRESSURE, None, 1], "row.at_not_an_instant", {"told": "None"}),
        ([PRESSURE, -1, 1], "row.at_not_an_instant", {"told": "-1"}),
        ([PRESSURE, 2**53, 1], "row.at_not_an_instant", None),
        ([PRESSURE, 2**64, 1], "row.at_not_an_instant", None),
        ([PRESSURE, NOW + 5_001, 1], "row.at_ahead", {"ahead_ms": 5_001, "limit_ms": 5_000}),
        ([PRESSURE, AT, "0.2"], "row.value_not_a_number", {"told": "0.2"}),
        ([PRESSURE, AT, True], "row.value_not_a_number", {"told": "True"}),
        ([PRESSURE, AT, [1]], "row.value_not_a_number", {"told": "[1]"}),
        ([PRESSURE, AT, math.nan], "row.value_nan", {}),
        ([PRESSURE, AT, math.nan, BAD], "row.value_nan", {}),
        ([PRESSURE, AT, math.inf], "row.value_infinite", {}),
        ([PRESSURE, AT, -math.inf], "row.value_infinite", {}),
        ([PRESSURE, AT, 10**399], "row.value_infinite", {}),
        ([PRESSURE, AT, -(10**399)], "row.value_infinite", {}),
        ([PRESSURE, AT, 1, 512], "row.quality_unknown", {"told": "512"}),
        ([PRESSURE, AT, 1, -1], "row.quality_unknown", {"told": "-1"}),
        ([PRESSURE, AT, 1, 2**70], "row.quality_unknown", None),
        ([PRESSURE, AT, 1, 1.0], "row.quality_unknown", {"told": "1.0"}),
        ([PRESSURE, AT, 1, "good"], "row.quality_unknown", {"told": "good"}),
        ([PRESSURE, AT, 1, False], "row.quality_unknown", {"told": "False"}),
        ([PRESSURE, AT, 1, TEST], "row.test_in_real_frame", {}),
        ([PRESSURE, AT, 1, 0, "kPa"], "row.unit_mismatch", {"told": "kPa", "expected": "MPa"}),
        ([PRESSURE, AT, 1, 0, ""], "row.unit_mismatch", {"told": "", "expected": "MPa"}),
        ([PRESSURE, AT, 1, 0, ["MPa"]], "row.unit_mismatch", None),
        ([PRESSURE, AT, 1, 0, 0], "row.unit_mismatch", {"told": "0", "expected": "MPa"}),
    ],
)
def test_a_bad_row_is_quarantined_alone(
    row: Any, key: str, params: dict[str, str | int] | None
) -> None:
    sound = [[PRESSURE, AT, 0.5], row, [FLOW, AT, 7, 1]]
    admitted = both(frame(rows=sound))
    (found,) = admitted.quarantined
    assert (found.row, found.key) == (1, key)
    assert params is None or found.params == params
    assert list(admitted.samples.rows()) == [(PRESSURE, AT, 0.5, 0), (FLOW, AT, 7.0, 1)]


def test_the_first_reason_in_order_counts() -> None:
    row = ["?", "now", "much", "good", "mile"]
    right = [PRESSURE, AT, 1.0, 0, "MPa"]
    keys = []
    for place in range(5):
        keys += [one.key for one in both(frame(rows=[[*right[:place], *row[place:]]])).quarantined]
    assert keys == [
        "row.unknown_point",
        "row.at_not_an_instant",
        "row.value_not_a_number",
        "row.quality_unknown",
        "row.unit_mismatch",
    ]


def test_nan_and_infinity_in_a_strangers_json_cost_only_their_rows() -> None:
    body = body_with(rows=[[FLOW, AT, "a"], [FLOW, AT, "b"], [FLOW, AT, 2.5], [FLOW, AT, "c"]])
    for text, told in ((b'"a"', b"NaN"), (b'"b"', b"-Infinity"), (b'"c"', b"1e400")):
        body = body.replace(text, told)
    admitted = both(decode(body))
    assert [(one.row, one.key) for one in admitted.quarantined] == [
        (0, "row.value_nan"),
        (1, "row.value_infinite"),
        (3, "row.value_infinite"),
    ]
    assert list(admitted.samples.rows()) == [(FLOW, AT, 2.5, 0)]


def test_a_test_frame_marks_all_its_samples() -> None:
    rows = [[PRESSURE, AT, 0.5], [PRESSURE, AT, 2, TEST], [FLOW, AT, None]]
    admitted = both(frame(mark="test", rows=rows))
    assert admitted.samples.quality.tolist() == [TEST, TEST | OUTSIDE, TEST | BAD]
    assert admitted.quarantined == ()


def test_a_played_file_may_tell_of_any_time() -> None:
    played = frame(gateway=PLAYED, rows=[[TAPED, NOW + 10**9, 4.0]])
    assert len(admit(played, book_of(PLANT, PLAYED), NOW).samples) == 1


def test_the_layout_lists_only_points_that_have_a_sample() -> None:
    rows = [["?", AT, 1], [FLOW, AT, "x"], [PHASE, AT, 3], [PRESSURE, AT, 0.1], [PHASE, AT, 0]]
    samples = both(frame(rows=rows)).samples
    assert samples.layout == (PHASE, PRESSURE)
    assert samples.point.tolist() == [0, 1, 0]


def test_no_rows_and_no_good_rows_are_the_empty_batch() -> None:
    assert both(frame(rows=[])) == Admitted(both(frame(rows=[[]])).samples, ())
    assert len(both(frame(rows=[[]])).samples) == 0


def test_a_gateway_without_points_quarantines_everything() -> None:
    bare = msgspec.structs.replace(PLANT, points={})
    told = frame(rows=[[PRESSURE, AT, 1.0, 0, "MPa"], [PRESSURE, AT, 1.0]])
    book = book_of(bare, FRAME.gateway)
    assert [one.key for one in admit(told, book, NOW).quarantined] == ["row.unknown_point"] * 2
    assert admit(told, book, NOW) == admit_each(told, book, NOW)


def test_the_book_must_be_the_gateways() -> None:
    with pytest.raises(Bug):
        admit(FRAME, book_of(PLANT, OTHER), NOW)


def test_what_is_shown_of_a_row_is_short_and_can_be_encoded() -> None:
    rows = [["x" * 10_000, AT, 1], ["\ud83d", AT, 1], [PRESSURE, AT, [[["y" * 10_000] * 99] * 99]]]
    for one in both(frame(rows=rows)).quarantined:
        assert len(msgspec.json.encode(one)) < 400


@pytest.mark.parametrize("digits", [16, 19, 20, 200, 310, 399, 401, 1_000, 4_300, 4_301, 50_000])
def test_integers_of_any_length_are_judged(digits: int) -> None:
    cells = [
        [FLOW, "#", 1],
        [FLOW, AT, "#"],
        [FLOW, AT, 1, "#"],
        ["#", AT, 1],
        [FLOW, AT, 1, 0, "#"],
    ]
    admitted = both(decode(body_with(rows=cells).replace(b'"#"', b"9" * digits)))
    assert len(admitted.quarantined) + len(admitted.samples) == 5
    assert len(admitted.samples) == (1 if digits < 310 else 0)
    msgspec.json.encode(admitted.quarantined)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 2**64, "MPa", "state", "", [], {}]),
    st.text(max_size=3),
)
POINTS = st.sampled_from([PRESSURE, FLOW, PHASE, FOREIGN, "?"])
NEAR = st.integers(NOW - 10_000, NOW + 6_000)
NUMBERS = st.one_of(st.none(), st.integers(-2, 500), st.floats(-1, 2), st.floats())
TIDY = st.tuples(
    POINTS,
    NEAR,
    NUMBERS,
    st.sampled_from([0, 1, 2, 64, 511, 512, None]),
    st.sampled_from([None, "MPa", "m3/h"]),
)
ROWS = st.one_of(
    st.tuples(TIDY, st.integers(3, 5)).map(lambda one: list(one[0][: one[1]])),
    st.lists(ODD, max_size=6),
    st.tuples(POINTS | ODD, NEAR | ODD, NUMBERS | ODD, ODD, ODD).map(list),
    ODD,
)


@given(st.lists(ROWS, max_size=8), st.sampled_from(["real", "test"]))
def test_the_kernel_equals_its_plain_twin(rows: list[Any], mark: str) -> None:
    both(frame(rows=rows, mark=mark))


@given(st.lists(ROWS, max_size=6))
def test_every_row_is_a_sample_or_in_quarantine_whatever_came(rows: list[Any]) -> None:
    told = json.loads(encode(FRAME)) | {"rows": rows}
    admitted = both(decode(json.dumps(told).encode()))
    assert len(admitted.samples) + len(admitted.quarantined) == len(rows)
    msgspec.json.encode(admitted.quarantined)


@given(st.lists(TIDY.map(list) | ROWS, max_size=6), st.sampled_from(["real", "test"]))
def test_the_quick_reader_judges_as_the_plain_one(rows: list[Any], mark: str) -> None:
    told = json.loads(encode(FRAME)) | {"rows": rows, "mark": mark}
    body = json.dumps(told).encode()
    quick = read(body)
    assert repr([cells_of(row) for row in quick.rows]) == repr(_trimmed(decode(body).rows, quick))
    assert both(quick) == both(decode(body))


def _trimmed(rows: list[Any], quick: Frame) -> list[Any]:
    """Return rows as `Row`s show them: numbers as floats, nulls at the end left out."""
    if not (quick.rows and isinstance(quick.rows[0], Row)):
        return rows
    return [cells_of(msgspec.convert(row, Row)) for row in rows]


def both(told: Frame) -> Admitted:
    """Return what the kernel says, held equal to its twin to the byte."""
    fast, plain = admit(told, BOOK, NOW), admit_each(told, BOOK, NOW)
    assert fast == plain
    assert all(isinstance(one, Quarantined) for one in fast.quarantined)
    return fast
