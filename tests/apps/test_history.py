"""`meltwatch history`: every question from the command line, beside a ledger that goes on."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from meltwatch.apps.cli import main
from meltwatch.apps.seal import LEDGER, seal
from meltwatch.clock import SystemClock
from meltwatch.ledger.embedded import EmbeddedHome
from tests.apps.test_core import CONDITIONS, begin, frame
from tests.telling import plant_of

ENTERPRISE = plant_of(CONDITIONS).enterprise


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory of which half is sealed and half lies in the ledger only."""
    home = EmbeddedHome(tmp_path / LEDGER, sync="off")
    core = begin(home, plant_of(CONDITIONS))
    for second in range(120):
        core.take_samples([frame(second, 50.0 + second)])
        if second == 59:
            seal(tmp_path, [ENTERPRISE], SystemClock(), once=True)
    home.close()
    return tmp_path


def asked(data: Path, what: str, *more: str) -> list[str]:
    return ["history", what, "--data", str(data), "--enterprise", ENTERPRISE, *more]


def answer(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_each_question_is_answered(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    span = ["--from", "1970-01-01T08:00:00+08:00", "--to", "119000", "--point", "t"]
    drawn = json.loads(answer(capsys, asked(data, "window", *span, "--width", "2", "--json")))
    assert drawn["t"]["most"] == [109.0, 169.0]
    last = json.loads(answer(capsys, asked(data, "last", "--json")))
    assert last == {"t": {"at": 119_000, "value": 169.0, "quality": 0}}
    at = ["--at", "1970-01-01T00:00:30.500Z"]
    assert answer(capsys, asked(data, "snapshot", *at)).split() == [
        "t", "1970-01-01T00:00:30.000+00:00", "80", "0"
    ]  # fmt: skip
    gaps = json.loads(answer(capsys, asked(data, "gaps", *span, "--json")))
    assert gaps["sources"][-1]["state"] == "complete"
    assert "complete" in answer(capsys, asked(data, "gaps", *span))
    assert "109" in answer(capsys, asked(data, "window", *span, "--width", "2"))


def test_an_export_goes_to_a_file(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "told.csv"
    span = ["--from", "0", "--to", "119000", "--point", "t", "--to-file", str(file)]
    assert main(asked(data, "export", *span)) == 0
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
    assert [float(row["value"]) for row in rows] == [50.0 + second for second in range(120)]


@pytest.mark.parametrize(
    ("what", "more", "place"),
    [
        ("snapshot", ["--at", "yesterday"], "--at"),
        ("snapshot", ["--at", "2026-11-24T08:00:00"], "--at"),
        ("window", ["--from", "5", "--to", "5", "--point", "t"], "--to"),
        ("window", ["--from", "0", "--to", "5"], "--point"),
        ("window", ["--from", "0", "--to", "5", "--point", "t", "--width", "0"], "--width"),
        ("last", ["--enterprise", "other"], "--enterprise"),
        ("last", ["--data", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_question_is_refused_in_both_languages(
    data: Path, capsys: pytest.CaptureFixture[str], what: str, more: list[str], place: str
) -> None:
    assert main(asked(data, what, *more)) == 2
    said = capsys.readouterr().err
    assert place in said
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said)
