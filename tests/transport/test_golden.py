"""Bodies and answers of each format version as they were once written: their readers stay for ever.

A file here is never changed. A new version of the format adds files, and a reader beside the old.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from meltwatch.transport.admit import admit
from meltwatch.transport.answer import event_of_frame, event_of_standing
from meltwatch.transport.columns import Columns
from meltwatch.transport.frame import Frame, decode, encode
from meltwatch.transport.lane import Accepted, Event, Gap, LastSeq, Rejected
from meltwatch.transport.layouts import layout_of, read_announcement
from meltwatch.transport.signature import digest, sign
from tests.transport.given import (
    BOOK,
    EPOCH,
    FLOW,
    FRAME,
    GATEWAY,
    NOW,
    PHASE,
    PRESSURE,
    PRIVATE,
    SECRET,
    frame,
)

GOLDEN = Path(__file__).parent / "golden"

FULL = frame(
    seq=2,
    mark="test",
    complete_from=1_754_000_001_000,
    complete_to=1_754_000_002_000,
    layout="layout-7",
    lost=((1_753_999_990_000, 1_753_999_995_000), (1_753_999_996_000, 1_754_000_000_000)),
    rows=[
        [PRESSURE, 1_754_000_001_500, 0.21],
        [FLOW, 1_754_000_001_500, None, 2],
        [PHASE, 1_754_000_002_000, 3, 33, "state"],
        [FLOW, 1_754_000_002_000, 1e-7, 0, "m³/h"],
        [FLOW, 1_754_000_002_000, -0.0],
        [FLOW, 1_754_000_002_000, 1.0e22],
        ["结晶器", 0, 0.1, None, None],
    ],
)
STRANGERS_ROWS = [
    [FLOW, 1_754_000_000_250, math.nan],
    [FLOW, 1_754_000_000_500, -math.inf, 0],
    [FLOW, 1_754_000_000_750, math.inf, 0, "m3/h"],
    [FLOW, 1_754_000_001_000, 120.5, 0, "m3/h"],
    ["结晶器", 1_754_000_001_000, 1],
    "row",
]


@pytest.mark.parametrize(
    ("name", "told", "sm3"),
    [
        ("least", FRAME, "199ab3a44208cd46ed0b18a17a805084ee25ffbf0c17cdabbe588c9eab130a91"),
        ("full", FULL, "fb00d855ae8bb145340c94ab75e8cf416ab39f56ac86bebbfd26ed0c9620297f"),
    ],
)
def test_a_canonical_body_reads_and_writes_as_ever(name: str, told: Frame, sm3: str) -> None:
    body = stored(f"frame.1.{name}.json")
    assert decode(body) == told
    assert encode(told) == body
    assert digest(body).hex() == sm3


def test_a_strangers_body_reads_as_ever() -> None:
    body = stored("frame.1.stranger.json")
    told = decode(body)
    assert told.seq == 3
    assert (told.layout, told.lost) == (None, ())
    assert repr(told.rows) == repr(STRANGERS_ROWS)
    assert digest(body).hex() == "141117be787fa7531d6ed8115569a98308f0728a18ca9ef75b11df275027aaf8"
    assert [(one.row, one.key) for one in admit(told, BOOK, NOW).quarantined] == [
        (0, "row.value_nan"),
        (1, "row.value_infinite"),
        (2, "row.value_infinite"),
        (4, "row.unknown_point"),
        (5, "row.shape"),
    ]


def test_signatures_are_as_ever() -> None:
    body = stored("frame.1.least.json")
    assert sign(SECRET, body) == "c4b7d81dc214f99baf7c3e860e21703f8a4024bd24d87ed975c1db1a1a533dd3"
    assert sign(PRIVATE, body) == (
        "f95a2443755049547ddad6a6ad91022ced2a11742fea9bd33f92c30011d36ab5"
        "5333db2e45823108dd901bf3e3754ad0791fead61c00cba2643fd1371ecba60f"
    )


@pytest.mark.parametrize(
    ("name", "status", "event"),
    [
        ("answer.1.json", 200, Accepted(17)),
        ("refusal.1.gap.json", 409, Gap(6)),
        ("refusal.1.malformed.json", 422, Rejected("frame.seq_below_one", False)),
    ],
)
def test_answers_to_a_frame_are_read_as_ever(name: str, status: int, event: Event) -> None:
    assert event_of_frame(status, stored(name)) == event


def test_an_answer_to_asking_is_read_as_ever() -> None:
    told = event_of_standing(200, stored("standing.1.json"), GATEWAY, EPOCH)
    assert told == LastSeq(17)


def stored(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


COLUMNS = frame(
    v=2,
    seq=4,
    points=(PRESSURE, FLOW, PHASE),
    rows=[],
    columns=Columns(
        point=[0, 1, 2, 1],
        at=[1_754_000_001_500, 1_754_000_001_500, 1_754_000_002_000, 1_754_000_000_900],
        value=[0.21, None, 3.0, 152.5],
        quality=[0, 2, 0, 32],
        source_at=[None, None, None, 1_753_999_000_000],
    ),
)


def test_columns_read_and_write_as_ever() -> None:
    body = stored("frame.2.columns.json")
    assert encode(COLUMNS) == body
    assert encode(decode(body)) == body
    assert digest(body).hex() == "aef21b4a5af02f7b42af075e50633a2b36f46152a28026ecb99fe87be2dc938b"
    told = admit(decode(body), BOOK, NOW)
    assert told.quarantined == ()
    assert [row[0] for row in told.samples.rows()] == [PRESSURE, FLOW, PHASE, FLOW]


def test_columns_of_arrow_are_read_as_ever() -> None:
    body = stored("frame.2.columns.arrow")
    assert admit(decode(body), BOOK, NOW) == admit(COLUMNS, BOOK, NOW)


def test_an_announcement_is_read_as_ever() -> None:
    told = read_announcement(stored("layout.1.json"))
    assert (told.gateway, told.points) == (GATEWAY, [PRESSURE, FLOW, PHASE])
    assert layout_of(told.points) == "sm3-fc55c29ed0074c9b56ed32261f1d71e634b05a2d"
