"""A recorded file played to a real server: every row arrives, and its alarm at the file's instants.

The judge is the file itself, read here with the standard library alone.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.apps.cli import main
from meltwatch.apps.node import node_of
from meltwatch.apps.seal import LEDGER
from meltwatch.journey import Effect
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode, record_of
from meltwatch.model.ids import OccurrenceId, SourceId
from meltwatch.model.log import SamplesRecord
from tests.durability.sender import CoreProcess

COLUMNS = {
    "accelerometer_1": "Accelerometer1RMS",
    "accelerometer_2": "Accelerometer2RMS",
    "current": "Current",
    "pressure": "Pressure",
    "temperature": "Temperature",
    "thermocouple": "Thermocouple",
    "voltage": "Voltage",
    "flow": "Volume Flow RateRMS",
}
GATEWAY, SECRET = SourceId("player"), "only for trials and tests"
NODE = f"""\
node: rig-county
enterprises:
  rig:
    name: [试验台, Rig]
    module: aluminium-dc
    region: "370899"
    region_name: [示例县, Example County]
    units: {{loop: {{name: [回路, Loop], template: loop.yaml, gateway: {GATEWAY}}}}}
    gateways:
      {GATEWAY}: {{clock: recorded, offline_s: 9000000, key: {{id: k, hmac_sm3: {SECRET}}}}}
"""
TEMPLATE = """\
points:
  accelerometer_1: {unit: g}
  accelerometer_2: {unit: g}
  current: {unit: A}
  pressure: {unit: bar}
  temperature: {unit: degC}
  thermocouple: {unit: degC}
  voltage: {unit: V}
  flow: {unit: L/min}
conditions:
  flow.L:
    {kind: low, point: flow, limit: 30, deadband: 0.5, on_delay_s: 5, off_delay_s: 5, level: 2}
"""
MAPPING = """\
time: {column: datetime, format: "%Y-%m-%d %H:%M:%S"}
separator: ";"
points:
""" + "".join(f"  loop/{name}: {column}\n" for name, column in COLUMNS.items())
HEAD = ";".join(["datetime", *COLUMNS.values()])
RAISED = datetime(2020, 3, 9, 12, 45, 40, tzinfo=UTC)
RETURNED = datetime(2020, 3, 9, 12, 50, 45, tzinfo=UTC)


def ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def arguments(url: str, directory: Path, file: Path, *other: str) -> list[str]:
    """Return the command; of an option that is told twice the last counts."""
    (directory / "map.yaml").write_text(MAPPING, encoding="utf-8")
    told = {
        "--csv": str(file),
        "--map": str(directory / "map.yaml"),
        "--to": url,
        "--gateway": GATEWAY,
        "--key-id": "k",
        "--secret": SECRET,
        "--speed": "max",
    }
    return ["play", *(one for pair in told.items() for one in pair), *other]


def play(url: str, directory: Path, file: Path, *other: str) -> subprocess.CompletedProcess[str]:
    """Run `meltwatch play` as a user would."""
    command = [sys.executable, "-m", "meltwatch.apps.cli", *arguments(url, directory, file, *other)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[CoreProcess]:
    (tmp_path / "loop.yaml").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "node.yaml").write_text(NODE, encoding="utf-8")
    with CoreProcess(tmp_path / "node.yaml", tmp_path / "data") as core:
        yield core


def test_a_recorded_loss_of_flow_is_stored_whole_and_raised_once(
    core: CoreProcess, tmp_path: Path, shared: Path
) -> None:
    file = shared / "data" / "skab" / "valve1" / "7.csv"
    done = play(core.url, tmp_path, file)
    assert (done.returncode, done.stderr) == (0, "")
    assert core.stop() == 0, core.said()
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text, delimiter=";"))
    instants = [ms(datetime.fromisoformat(f"{one['datetime']}+00:00")) for one in rows]
    records, occurrences = ledger_of(tmp_path)

    stored = [row for one in records for row in one.samples.rows()]
    assert len(stored) == len(rows) * len(COLUMNS)
    assert not any(one.evidence and one.evidence.quarantined for one in records)
    for name, column in COLUMNS.items():
        told = [(at, value) for code, at, value, _ in stored if code == f"loop/{name}"]
        assert [at for at, _ in told] == instants
        assert sum(value for _, value in told) == sum(float(row[column]) for row in rows)
    assert records[-1].complete_to == max(instants)
    assert f"{len(rows)} rows of 7.csv" in done.stdout
    assert f"{len(stored)} samples in {len(records)} frames, all acknowledged" in done.stdout

    told_of = [(one.condition, one.raised, one.returned, one.flags) for one in occurrences]
    assert told_of == [("loop/flow.L", ms(RAISED), ms(RETURNED), ())]


def test_a_row_that_comes_too_late_corrects_what_was_decided(
    core: CoreProcess, tmp_path: Path
) -> None:
    """The late rows say that the flow was well for an instant: the alarm is raised later."""
    file = tmp_path / "late.csv"
    flow = {0: 32, 10: 25, 12: 25, 200: 25, 13: 40, 14: 25, 300: 40, 400: 40}
    start = datetime(2024, 8, 1, 8, tzinfo=UTC)
    zeros = ";0" * 7
    lines = [
        f"{start + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}{zeros};{value}"
        for second, value in flow.items()
    ]
    lines[1] = lines[1].replace(";0", ";bad", 1)
    file.write_text("\n".join([HEAD, *lines]))
    done = play(core.url, tmp_path, file)
    assert done.returncode == 0, done.stderr
    left_out, late = done.stderr.splitlines()
    assert left_out.startswith("meltwatch: row 3, column Accelerometer1RMS: ")
    assert left_out.endswith("1 left out: no number, as in bad")
    assert late.startswith("meltwatch: row 6: ")
    assert late.endswith("It came too late, row 5 is newer: 2 such sent as corrections")
    assert core.stop() == 0, core.said()
    _, occurrences = ledger_of(tmp_path)
    told = [((one.raised - ms(start)) // 1000, one.returned) for one in occurrences]
    assert told == [(19, ms(start) + 305_000)]


def test_a_refusal_of_the_server_is_said_and_ends_it(core: CoreProcess, tmp_path: Path) -> None:
    file = written(tmp_path, "2024-08-01 08:00:00")
    done = play(core.url, tmp_path, file, "--key-id", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("meltwatch: Meltwatch-Key: ")
    assert done.stderr.endswith("The key id x is not registered: check the gateway's key\n")


@pytest.mark.parametrize(
    ("instant", "other", "said"),
    [
        ("2024-08-01 08:00:00", ["--at", "noon"], "--at: noon is no instant: write it like"),
        ("2024-08-01 08:00:00", ["--to", "node:80"], "--to: node:80 is no address: write it"),
        ("2024-08-01 08:00:00", ["--gateway", "a/b"], "--gateway: a/b is no gateway: 1 to 64"),
        ("2024-08-01 08:00:00", ["--csv", "b.csv"], "b.csv: There is no such file"),
        ("soon", [], "row 2, column datetime: 1 left out: no instant in the mapping's format"),
    ],
)
def test_wrong_input_is_said_with_its_place_and_its_fix(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    instant: str,
    other: list[str],
    said: str,
) -> None:
    code = main(arguments("http://127.0.0.1:9", tmp_path, written(tmp_path, instant), *other))
    assert code == 2
    place, _, sentence = said.partition(": ")
    told = capsys.readouterr().err
    assert told.startswith(f"meltwatch: {place}: ")
    assert f" / {sentence}" in told


def written(directory: Path, instant: str) -> Path:
    """Write a file of one row."""
    file = directory / "a.csv"
    file.write_text("\n".join([HEAD, instant + ";1" * len(COLUMNS)]))
    return file


def ledger_of(directory: Path) -> tuple[list[SamplesRecord], list[Occurrence]]:
    """Return the frames of a ledger that nobody writes to, and its occurrences as they ended."""
    (enterprise,) = node_of(directory / "node.yaml").plants
    with closing(EmbeddedHome(directory / "data" / LEDGER)) as home:
        log = [record_of(one.data) for one in home.stream.read(enterprise, 0, 100_000)]
        effects = [
            decode(one.data, Effect) for one in home.partition(enterprise).effects(0, 10_000)
        ]
    last: dict[OccurrenceId, Occurrence] = {}
    for one in effects:
        if isinstance(one, AlarmEvent):
            last[one.occurrence.id] = one.occurrence
    return [one for one in log if isinstance(one, SamplesRecord)], list(last.values())
