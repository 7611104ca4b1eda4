"""The stored form of records: version 1 is read for ever (golden file), and has one encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.apps.defaults import default_risk_model
from meltwatch.model.encoding import UnknownEncoding, encode, record_of
from meltwatch.model.ids import CommandId, EpochId, OccurrenceId, PointCode, SourceId
from meltwatch.model.log import (
    Acknowledge,
    CommandRecord,
    ConfigRecord,
    EventsRecord,
    Evidence,
    Happening,
    LayoutRecord,
    Record,
    SamplesRecord,
    TickRecord,
)
from meltwatch.model.sample import batch_of
from tests.telling import plant_of

GOLDEN = Path(__file__).parent / "golden" / "records.v1.txt"
"""One record a line: its name, a blank, its stored bytes in hexadecimal."""

RECORDS: dict[str, Record] = {
    "samples": SamplesRecord(
        received_at=1_000,
        source=SourceId("gw"),
        epoch=EpochId("0001"),
        seq=7,
        complete_from=0,
        complete_to=900,
        samples=batch_of([(PointCode("u/t"), 850, 61.5, 0), (PointCode("u/v"), 900, 1.0, 129)]),
        mark="test",
        backfill=True,
        lost=((0, 100),),
        evidence=Evidence(body=b"{}", key="k", signature="ff", quarantined=((2, "row.shape"),)),
    ),
    "events": EventsRecord(
        received_at=5,
        source=SourceId("gw"),
        events=(Happening(at=4, subject="well-1", key="cast", params={"heat": "A2", "n": 3}),),
    ),
    "command": CommandRecord(
        received_at=6,
        command=Acknowledge(
            id=CommandId("c1"),
            who="li",
            role="shift",
            node="plant",
            origin="10.0.0.1",
            why="seen",
            occurrence=OccurrenceId("o1"),
        ),
    ),
    "config": ConfigRecord(
        received_at=0,
        plant=plant_of(
            {
                "t.H": {"kind": "high", "point": "t", "limit": 60, "off_delay_s": 9},
                "t.d": {"kind": "difference", "of": ["t", "w"], "as": "low", "limit": -1.5},
                "v": {"kind": "vote", "of": ["t.H", "t.d"], "m": 1, "off_delay_s": 5},
                "k": {
                    "kind": "interlock",
                    "cause": "v",
                    "effects": [{"point": "w", "in": [1]}],
                    "within_s": 3,
                },
            }
        ),
        risk_model=default_risk_model(),
    ),
    "layout": LayoutRecord(received_at=1, layout="l1", points=(PointCode("u/t"),)),
    "tick": TickRecord(at=30_000, offline=(SourceId("gw"),)),
}


def golden() -> dict[str, bytes]:
    lines = (line.split(" ", 1) for line in GOLDEN.read_text("ascii").splitlines())
    return {name: bytes.fromhex(told) for name, told in lines}


@pytest.mark.parametrize("name", RECORDS)
def test_what_version_1_stored_is_still_read(name: str) -> None:
    assert record_of(golden()[name]) == RECORDS[name]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_one_encoding(name: str) -> None:
    assert encode(RECORDS[name]) == golden()[name]
    assert encode(record_of(encode(RECORDS[name]))) == encode(RECORDS[name])


@pytest.mark.parametrize("stored", [b"", b"\x02\x80", b"\x01not a record", b"\x01"])
def test_another_version_or_damaged_bytes_are_said_not_guessed(stored: bytes) -> None:
    with pytest.raises(UnknownEncoding):
        record_of(stored)
