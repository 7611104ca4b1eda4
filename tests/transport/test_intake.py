"""The check of a whole frame: what uses no number, with which status, and what passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.transport.errors import (
    Ahead,
    Forbidden,
    FrameRefused,
    Malformed,
    TooLarge,
    Unproven,
    Unreadable,
)
from meltwatch.transport.frame import Frame, encode
from meltwatch.transport.intake import Header, Limits, check_asking, check_header
from meltwatch.transport.signature import digest
from tests.transport.given import (
    FRAME,
    GATEWAY,
    KEYS,
    NOW,
    PLANT,
    PLAYED,
    PRESSURE,
    body_with,
    frame,
    signed,
    take,
)

BODY = encode(FRAME)
GOOD = signed(BODY)
ASKED = "/v1/sources/gw-1/0198628c0400-00112233445566aa"


@pytest.mark.parametrize("key", ["gw-1.a", "gw-1.b"])
def test_a_sound_frame_passes_with_its_proof(key: str) -> None:
    checked = take(FRAME, key)
    assert checked.frame == FRAME
    assert (checked.body, checked.digest) == (BODY, digest(BODY))
    assert (checked.key, checked.signature) == (key, signed(BODY, key).signature)


def test_the_digest_is_over_the_bytes_as_they_came() -> None:
    body = BODY.replace(b",", b" ,\n")
    assert take(body).frame == FRAME
    assert take(body).digest == digest(body) != digest(BODY)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (Header(key=None, signature=GOOD.signature), "frame.key_missing"),
        (Header(key="", signature=GOOD.signature), "frame.key_missing"),
        (Header(key="gw-7", signature=GOOD.signature), "frame.key_unknown"),
        (Header(key="gw-1.a", signature=None), "frame.signature_missing"),
        (Header(key="gw-1.a", signature="c2lnbmVk"), "frame.signature_malformed"),
        (Header(key="gw-1.b", signature=GOOD.signature), "frame.signature_malformed"),
        (Header(key="gw-1.a", signature="0" * 64), "frame.signature_wrong"),
        (Header(key="gw-2.a", signature=GOOD.signature), "frame.signature_wrong"),
    ],
)
def test_without_proof_nothing_is_read(header: Header, key: str) -> None:
    for body in (BODY, b"{"):
        refused = refusal(body, header=header)
        assert (type(refused), refused.status, refused.retry) == (Unproven, 401, True)
        if body == BODY:
            assert refused.key == key


@pytest.mark.parametrize("signature", [f" {GOOD.signature}\n", str(GOOD.signature).upper()])
def test_white_space_and_capitals_of_a_signature_do_not_matter(signature: str) -> None:
    checked = take(BODY, header=Header(key="gw-1.a", signature=signature))
    assert checked.signature == GOOD.signature


@pytest.mark.parametrize(
    ("told", "sent_at"),
    [
        (None, None),
        ("1754000001100", 1_754_000_001_100),
        ("", None),
        ("-1", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 5000, None),
    ],
)
def test_sent_at_is_for_figures_and_refuses_nothing(told: str | None, sent_at: int | None) -> None:
    header = Header(key=GOOD.key, signature=GOOD.signature, sent_at=told)
    assert take(BODY, header=header).sent_at == sent_at


Change = dict[str, Any]


@pytest.mark.parametrize(
    ("told", "kind", "status", "places"),
    [
        ({"seq": 0}, Malformed, 422, {"seq": "frame.seq_below_one"}),
        ({"seq": -(10**30)}, Malformed, 422, {"seq": "frame.seq_below_one"}),
        (
            {"complete_from": 1_754_000_001_001},
            Malformed,
            422,
            {"complete_to": "frame.interval_reversed"},
        ),
        ({"lost": [[5, 9], [7, 7]]}, Malformed, 422, {"lost/1": "frame.interval_reversed"}),
        (
            {"seq": 0, "complete_to": 1, "lost": [[9, 5]]},
            Malformed,
            422,
            {
                "seq": "frame.seq_below_one",
                "complete_to": "frame.interval_reversed",
                "lost/0": "frame.interval_reversed",
            },
        ),
        ({"complete_to": NOW + 5_001}, Ahead, 422, {"complete_to": "frame.complete_to_ahead"}),
        ({"lost": [[NOW, NOW + 5_001]]}, Ahead, 422, {"lost": "frame.lost_ahead"}),
        ({"gateway": "gw-2"}, Forbidden, 403, {"gateway": "frame.key_of_another"}),
        ({"gateway": "nobody"}, Forbidden, 403, {"gateway": "frame.key_of_another"}),
        ({"mark": 1}, Malformed, 422, {"mark": "frame.field_type"}),
    ],
)
def test_a_frame_that_contradicts_itself_or_the_clock_uses_no_number(
    told: Change, kind: type[FrameRefused], status: int, places: dict[str, str]
) -> None:
    refused = refusal(body_with(**told))
    assert (type(refused), refused.status) == (kind, status)
    assert {one.place: one.key for one in refused.problems} == places


@pytest.mark.parametrize(
    "told",
    [
        {"complete_to": NOW + 5_000},
        {"complete_from": 1_754_000_001_000},
        {"lost": ((5, 9), (NOW, NOW + 5_000))},
        {"rows": []},
        {"complete_from": 0, "complete_to": 0},
    ],
)
def test_the_edges_pass(told: Change) -> None:
    assert take(frame(**told)).frame == frame(**told)


def test_a_played_file_lies_anywhere_in_time() -> None:
    played = frame(gateway=PLAYED, complete_to=NOW + 10**9, lost=((1, NOW + 10**9),))
    assert take(played, "player.a").frame == played


def test_a_gateway_that_no_plant_has_is_refused() -> None:
    refused = refusal(body_with(gateway="gw-9"), "gw-9.a")
    assert (type(refused), refused.key) == (Forbidden, "frame.gateway_unknown")


def test_what_is_too_large_is_refused_before_anything_is_computed() -> None:
    limits = Limits(body_bytes=len(BODY), rows=1)
    sources = PLANT.sources
    checked = check_header(BODY, GOOD, keys=KEYS, sources=sources, now=NOW, limits=limits)
    assert checked.frame.seq == FRAME.seq
    with pytest.raises(TooLarge) as refused:
        check_header(BODY + b" ", GOOD, keys=KEYS, sources=sources, now=NOW, limits=limits)
    assert refused.value.key == "frame.body_too_large"
    assert refused.value.problems[0].params == {"bytes": len(BODY) + 1, "limit": len(BODY)}
    two = encode(frame(rows=[[PRESSURE, 1, 1]] * 2))
    wide = Limits(rows=1)
    with pytest.raises(TooLarge) as refused:
        check_header(two, signed(two), keys=KEYS, sources=sources, now=NOW, limits=wide)
    assert (refused.value.key, refused.value.status) == ("frame.too_many_rows", 413)


def test_limits_are_what_the_format_says() -> None:
    assert Limits() == Limits(body_bytes=8 * 1024 * 1024, rows=100_000)


def test_broken_json_is_told_its_place() -> None:
    refused = refusal(BODY[:-1] + b",}")
    assert (type(refused), refused.status, refused.key) == (Unreadable, 400, "frame.json_broken")
    assert refused.problems[0].params["position"] in {len(BODY) - 1, len(BODY)}


@given(st.binary(max_size=100) | st.integers(0, 300).map(lambda end: BODY[:end] + BODY[end + 1 :]))
def test_any_signed_bytes_are_a_frame_or_refused(body: bytes) -> None:
    try:
        told = take(body).frame
    except FrameRefused:
        return
    assert type(told) is Frame


@given(st.text(), st.text())
def test_any_headers_are_refused_and_never_crash(key: str, signature: str) -> None:
    assert refusal(BODY, header=Header(key=key, signature=signature)).status == 401


def test_asking_is_signed_over_its_path() -> None:
    def ask(path: str, key: str) -> None:
        header = signed(ASKED.encode(), key)
        check_asking(path, GATEWAY, header, keys=KEYS, sources=PLANT.sources)

    ask(ASKED, "gw-1.a")
    ask(ASKED, "gw-1.b")
    with pytest.raises(Unproven):
        ask(ASKED + "/", "gw-1.a")
    with pytest.raises(Forbidden):
        ask(ASKED, "gw-2.a")


def refusal(body: bytes, key: str = "gw-1.a", header: Header | None = None) -> FrameRefused:
    with pytest.raises(FrameRefused) as refused:
        take(body, key, header)
    return refused.value
