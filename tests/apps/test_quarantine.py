"""Rows in quarantine can be listed, each with its frame, its place and its reason."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.apps.cli import main
from meltwatch.apps.core import entry_of
from meltwatch.apps.quarantine import line_of, quarantine
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.ids import EnterpriseId, EpochId, SourceId
from meltwatch.model.log import Evidence, SamplesRecord
from meltwatch.model.sample import batch_of

PLANT = EnterpriseId("plant")
NOW = 1_750_000_000_000
BODY = (
    b'{"v":1,"gateway":"gw","epoch":"0197bfa8b400-00000000000000aa","seq":1,"mark":"real",'
    b'"complete_from":0,"complete_to":1000,"rows":[["well-1/flow",1,5],["well-1/flow",2,NaN],'
    b'["nobody",3,1]]}'
)


def test_a_directory_without_a_ledger_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["quarantine", "--enterprise", "x", "--data", str(tmp_path / "nothing")]
    assert main(asked) == 1
    assert "meltwatch: " in capsys.readouterr().err


def test_a_row_in_quarantine_is_shown_as_it_was_sent(tmp_path: Path) -> None:
    evidence = Evidence(
        body=BODY,
        key="k",
        signature="",
        quarantined=((1, "row.value_nan"), (2, "row.unknown_point")),
    )
    record = SamplesRecord(
        received_at=NOW,
        source=SourceId("gw"),
        epoch=EpochId("0197bfa8b400-00000000000000aa"),
        seq=1,
        complete_from=0,
        complete_to=1000,
        samples=batch_of([]),
        evidence=evidence,
    )
    with closing(EmbeddedHome(tmp_path, sync="off")) as home:
        home.stream.append(PLANT, [entry_of(record, "gw/e", 1, b"d" * 32)])
    first, second = quarantine(tmp_path, PLANT)
    assert (first.row, first.key, first.told) == (1, "row.value_nan", '["well-1/flow", 2, NaN]')
    assert (second.row, second.told) == (2, '["nobody", 3, 1]')
    assert line_of(first) == (
        "2025-06-15T15:06:40.000+00:00 gw/0197bfa8b400-00000000000000aa 1[1] row.value_nan: "
        '值为 NaN / The value is NaN: ["well-1/flow", 2, NaN]'
    )
    assert list(quarantine(tmp_path, PLANT, since=NOW + 1)) == []
