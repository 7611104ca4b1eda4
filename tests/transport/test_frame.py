"""The body: one canonical form out, whatever strangers write in, and never a crash."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.model.quality import Quality
from meltwatch.model.sample import batch_of
from meltwatch.transport.errors import FrameRefused, Malformed, Unencodable, Unreadable
from meltwatch.transport.frame import DEPTH, Frame, decode, encode
from meltwatch.transport.rows import rows_of
from tests.transport.given import EPOCH, FLOW, FRAME, GATEWAY, PRESSURE, body_with, frame

INSTANTS = st.integers(0, 2**53 - 1)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
EPOCHS = st.from_regex(r"[0-9a-f]{12}-[0-9a-f]{16}", fullmatch=True)
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers() | st.integers(-(10**99), 10**99),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.lists(st.integers(0, 9), max_size=2),
)
FRAMES = st.builds(
    Frame,
    gateway=NAMES,
    epoch=EPOCHS,
    seq=st.integers(1, 2**53 - 1),
    mark=st.sampled_from(["real", "test"]),
    complete_from=INSTANTS,
    complete_to=INSTANTS,
    layout=st.none() | NAMES,
    lost=st.lists(st.tuples(INSTANTS, INSTANTS), max_size=3).map(tuple),
    rows=st.lists(st.lists(CELLS, max_size=6) | CELLS, max_size=6),
)


def test_the_canonical_body_is_this() -> None:
    assert encode(FRAME) == (
        b'{"v":1,"gateway":"gw-1","epoch":"0198628c0400-00112233445566aa","seq":1,"mark":"real",'
        b'"complete_from":1754000000000,"complete_to":1754000001000,"layout":null,"lost":[],'
        b'"rows":[["well-1/mould_pressure",1754000000500,0.21]]}'
    )


@given(FRAMES)
def test_what_is_encoded_is_decoded_and_encodes_to_the_same_bytes(told: Frame) -> None:
    body = encode(told)
    again = decode(body)
    assert again == told
    assert type(again) is Frame
    assert encode(again) == body


@given(FRAMES, st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t"]))
def test_order_of_keys_and_white_space_do_not_matter(
    told: Frame, chance: Any, indent: int | str | None
) -> None:
    fields = list(json.loads(encode(told)).items())
    chance.shuffle(fields)
    assert decode(json.dumps(dict(fields), indent=indent).encode()) == told


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(body: bytes) -> None:
    _frame_or_refused(body)


@given(st.binary(max_size=3), st.integers(0, 400), st.integers(0, 8))
def test_a_sound_body_with_a_wound_is_a_frame_or_refused(
    wound: bytes, at: int, removed: int
) -> None:
    body = encode(frame(lost=((5, 9),), layout="l-1", rows=[[PRESSURE, 1, 2.5, 0, "MPa"]] * 3))
    _frame_or_refused(body[:at] + wound + body[at + removed :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*Frame.__struct_fields__, "w"]), JSON))
def test_any_object_with_our_keys_is_a_frame_or_refused(changes: dict[str, Any]) -> None:
    told = json.loads(encode(FRAME)) | changes
    _frame_or_refused(json.dumps(told).encode())


def _frame_or_refused(body: bytes) -> None:
    try:
        told = decode(body)
    except FrameRefused:
        return
    assert type(told) is Frame


ALL = set(msgspec.json.decode(encode(FRAME)))


@pytest.mark.parametrize("name", sorted(ALL - {"layout", "lost"}))
def test_a_missing_field_is_named(name: str) -> None:
    assert problems(body_with(**{name: ...})) == [(name, "frame.field_missing", {})]


def test_layout_and_lost_may_be_left_out() -> None:
    assert decode(body_with(layout=..., lost=...)) == FRAME


def test_an_unknown_field_is_named_for_it_may_be_a_misspelt_one() -> None:
    assert problems(body_with(lsot=[[1, 2]])) == [("lsot", "frame.field_unknown", {})]


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        ("v", "1", "version"),
        ("v", True, "version"),
        ("gateway", 7, "name"),
        ("gateway", "", "name"),
        ("gateway", "a/b", "name"),
        ("gateway", "gw-1\n", "name"),
        ("gateway", "g" * 65, "name"),
        ("epoch", "monday", "epoch"),
        ("epoch", "0198628C0400-00112233445566AA", "epoch"),
        ("seq", 1.5, "count"),
        ("seq", "1", "count"),
        ("seq", True, "count"),
        ("seq", 2**53, "count"),
        ("mark", "Real", "mark"),
        ("mark", None, "mark"),
        ("complete_from", None, "instant"),
        ("complete_to", 1754000001000.0, "instant"),
        ("complete_to", "2025-08-01", "instant"),
        ("complete_to", -1, "instant"),
        ("complete_to", 2**53, "instant"),
        ("layout", 3, "layout"),
        ("lost", [[1]], "intervals"),
        ("lost", [[1, 2, 3]], "intervals"),
        ("lost", None, "intervals"),
        ("rows", {}, "rows"),
        ("rows", None, "rows"),
    ],
)
def test_an_ill_typed_field_is_named(name: str, told: object, expected: str) -> None:
    ((place, key, params),) = problems(body_with(**{name: told}))
    assert (place, key, params["expected"]) == (name, "frame.field_type", expected)


def test_all_problems_come_at_once() -> None:
    told = problems(body_with(seq=..., mark="?", rows=..., complete_to="now", extra=1))
    assert sorted(told, key=lambda one: one[0]) == [
        ("complete_to", "frame.field_type", {"expected": "instant", "told": "now"}),
        ("extra", "frame.field_unknown", {}),
        ("mark", "frame.field_type", {"expected": "mark", "told": "?"}),
        ("rows", "frame.field_missing", {}),
        ("seq", "frame.field_missing", {}),
    ]


def test_a_newer_version_is_refused_for_that_alone() -> None:
    params = {"version": "3", "known": 2}
    assert problems(body_with(v=3, rows=..., new=1)) == [("v", "frame.version_unknown", params)]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b"", "frame.json_broken"),
        (b"{", "frame.json_broken"),
        (b"\xef\xbb\xbf{}", "frame.json_broken"),
        (b'{"v": "\xff"}', "frame.json_broken"),
        ("{}".encode("utf-16"), "frame.json_broken"),
        (encode(FRAME) + b"}", "frame.json_broken"),
        (b"[]", "frame.not_an_object"),
        (b"NaN", "frame.not_an_object"),
        (b"[" * 100_000, "frame.json_too_deep"),
        (b'{"a":' * 100_000, "frame.json_too_deep"),
        (b"[" * 900 + b"]" * 900, "frame.not_an_object"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, key: str) -> None:
    with pytest.raises(Unreadable) as refused:
        decode(body)
    assert refused.value.key == key


@pytest.mark.parametrize("rows", ["[[{}]]", "[1, 2, 3, {}]", "[{}, NaN]", "[[NaN, {}]]"])
def test_how_deep_a_body_may_nest_does_not_depend_on_the_rest(rows: str) -> None:
    def nested(depth: int) -> bytes:
        inside = "[" * depth + "]" * depth
        return body_with(rows=["?"]).replace(b'["?"]', rows.replace("{}", inside).encode())

    used = 3 if rows.startswith("[[") else 2
    assert isinstance(decode(nested(DEPTH - used)), Frame)
    for depth in (DEPTH - used + 1, 100, 900):
        with pytest.raises(Unreadable) as refused:
            decode(nested(depth))
        assert refused.value.key == "frame.json_too_deep"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("NaN", math.nan),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        ("-1e999", -math.inf),
        ("9" * 5000, math.inf),
        ("-" + "9" * 5000, -math.inf),
        ("9" * 30, int("9" * 30)),
    ],
)
def test_numbers_that_are_none_do_not_refuse_the_frame(told: str, expected: float) -> None:
    body = body_with(rows=[[PRESSURE, 5, "?"]]).replace(b'"?"', told.encode())
    assert repr(decode(body).rows) == repr([[PRESSURE, 5, expected]])


def test_half_a_character_in_a_row_does_not_refuse_the_frame() -> None:
    body = body_with(rows=[["?", 5, 1.0]]).replace(b'"?"', rb'"\ud83d"')
    assert decode(body).rows == [["\ud83d", 5, 1.0]]


@pytest.mark.parametrize("last", [b"7", b'7, "rows": [[NaN]]'])
def test_of_a_repeated_key_the_last_value_counts_whichever_reader(last: bytes) -> None:
    assert decode(encode(FRAME)[:-1] + b', "seq": ' + last + b"}").seq == 7


@pytest.mark.parametrize("cell", [math.nan, math.inf, -math.inf, "\ud83d"])
def test_what_json_cannot_say_is_never_encoded(cell: Any) -> None:
    with pytest.raises(Unencodable):
        encode(frame(rows=[[PRESSURE, 5, cell]]))


def test_rows_of_samples_leave_good_quality_out_and_say_null_for_no_value() -> None:
    samples = batch_of(
        [
            (PRESSURE, 5, 0.5, Quality.GOOD),
            (FLOW, 6, math.nan, Quality.BAD),
            (FLOW, 7, math.inf, Quality.CLOCK),
            (FLOW, 8, 3.0, Quality.UNCERTAIN),
        ]
    )
    assert rows_of(samples) == [
        [PRESSURE, 5, 0.5],
        [FLOW, 6, None, 2],
        [FLOW, 7, None, 34],
        [FLOW, 8, 3.0, 1],
    ]


def test_the_example_names_what_it_should() -> None:
    assert (FRAME.gateway, FRAME.epoch) == (GATEWAY, EPOCH)


def problems(body: bytes) -> list[tuple[str, str, dict[str, str | int | float]]]:
    with pytest.raises(Malformed) as refused:
        decode(body)
    return [(one.place, one.key, one.params) for one in refused.value.problems]
