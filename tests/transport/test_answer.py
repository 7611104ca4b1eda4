"""What the server says back, and what a source reads out of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.errors import Problem
from meltwatch.transport.admit import admit
from meltwatch.transport.answer import (
    Refusal,
    Standing,
    answer,
    encode,
    event_of_frame,
    event_of_standing,
    refusal,
    unavailable,
)
from meltwatch.transport.errors import Ahead, DigestConflict, Malformed, SequenceGap, Unproven
from meltwatch.transport.errors import Busy as BusyRefusal
from meltwatch.transport.lane import (
    Accepted,
    Busy,
    Conflict,
    Event,
    Gap,
    LastSeq,
    Rejected,
    Unavailable,
)
from tests.transport.given import BOOK, EPOCH, FLOW, GATEWAY, NOW, PRESSURE, frame

STANDING = Standing(gateway=GATEWAY, epoch=EPOCH, last_seq=17, newest_epoch=EPOCH, server_time=NOW)


def test_an_answer_tells_the_rows_in_quarantine_with_their_reasons() -> None:
    rows = [[PRESSURE, NOW, 0.1], ["?", NOW, 1], [FLOW, NOW, "x"], [FLOW, NOW, 7]]
    told = answer(admit(frame(rows=rows), BOOK, NOW), last_seq=17, now=NOW)
    assert encode(told) == (
        b'{"accepted":2,"quarantined":[[1,"row.unknown_point"],[2,"row.value_not_a_number"]],'
        b'"last_seq":17,"server_time":1754000001200}'
    )
    assert event_of_frame(200, encode(told)) == Accepted(17)


def test_a_refusal_tells_every_problem_and_whether_to_try_again() -> None:
    told = refusal(Malformed([Problem("seq", "frame.seq_below_one", {"seq": "0"})]), NOW)
    assert encode(told) == (
        b'{"refused":"frame.seq_below_one","retry":false,"problems":[{"place":"seq",'
        b'"key":"frame.seq_below_one","params":{"seq":"0"}}],"server_time":1754000001200}'
    )


@pytest.mark.parametrize(
    ("status", "told", "event"),
    [
        (409, refusal(SequenceGap(6), NOW), Gap(6)),
        (409, refusal(DigestConflict(6), NOW), Conflict()),
        (429, refusal(BusyRefusal(1_500), NOW), Busy(1_500)),
        (503, unavailable(NOW), Unavailable("status 503")),
        (
            401,
            refusal(Unproven([Problem("", "frame.key_unknown")]), NOW),
            Rejected("frame.key_unknown", True),
        ),
        (
            422,
            refusal(Ahead([Problem("", "frame.complete_to_ahead")]), NOW),
            Rejected("frame.complete_to_ahead", True),
        ),
        (
            422,
            refusal(Malformed([Problem("", "frame.field_type")]), NOW),
            Rejected("frame.field_type", False),
        ),
    ],
)
def test_what_a_refusal_means_to_the_source(status: int, told: Refusal, event: Event) -> None:
    assert event_of_frame(status, encode(told)) == event
    assert event_of_standing(status, encode(told), GATEWAY, EPOCH) == event


def test_how_far_the_server_has_an_epoch() -> None:
    assert event_of_standing(200, encode(STANDING), GATEWAY, EPOCH) == LastSeq(17)
    other = msgspec.structs.replace(STANDING, epoch="0198628c0400-ffffffffffffffff")
    told = event_of_standing(200, encode(other), GATEWAY, EPOCH)
    assert told == Unavailable("status 200")


def test_members_for_people_do_not_disturb_the_source() -> None:
    for_people = b'{"type":"about:blank","title":"Numbers are missing",'
    assert event_of_frame(409, for_people + encode(refusal(SequenceGap(6), NOW))[1:]) == Gap(6)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>sign in to the network</html>"),
        (200, b'{"ok": true}'),
        (200, b""),
        (204, b""),
        (302, b""),
        (404, b"not found"),
        (413, b"<h1>413 Request Entity Too Large</h1>"),
        (502, b"bad gateway"),
        (409, b'{"refused": "frame.gap"}'),
    ],
)
def test_only_our_own_documents_are_believed(status: int, body: bytes) -> None:
    expected = Unavailable(f"status {status}")
    assert event_of_frame(status, body) == expected
    assert event_of_standing(status, body, GATEWAY, EPOCH) == expected


@given(st.integers(100, 599), st.binary(max_size=60))
def test_any_response_is_some_event(status: int, body: bytes) -> None:
    event_of_frame(status, body)
    event_of_standing(status, body, GATEWAY, EPOCH)
