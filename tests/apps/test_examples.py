"""The example of the README runs as it stands: serve, send by curl, seal, read by plain DuckDB."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.node import node_of
from meltwatch.apps.seal import HISTORY, LEDGER
from meltwatch.history.read import segment_paths
from meltwatch.journey import Effect
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode
from tests.durability.sender import CoreProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
ENTERPRISE = "example-aluminium"
NEEDED = ("curl", "openssl", "sh")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data of a node that the example's ten frames were sent to."""
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(missing)} on the path")
    data = tmp_path_factory.mktemp("example") / "data"
    with CoreProcess(EXAMPLES / "node.yaml", data) as core:
        told = subprocess.run(
            [str(EXAMPLES / "send.sh"), core.url],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert [one["last_seq"] for one in answers] == list(range(1, 11))
    assert all(one["accepted"] == 3 and one["quarantined"] == [] for one in answers)
    return data


def test_the_water_is_lost_and_the_drain_stays_closed(sent: Path) -> None:
    (enterprise,) = node_of(EXAMPLES / "node.yaml").plants
    home = EmbeddedHome(sent / LEDGER)
    rows = home.partition(enterprise).effects(0, 1_000)
    effects: list[Effect] = [decode(row.data, Effect) for row in rows]
    home.close()
    raised = {one.occurrence.condition for one in effects if isinstance(one, AlarmEvent)}
    assert {"well-1/mould_flow.LL", "well-1/interlock.water"} <= raised


def test_plain_duckdb_reads_what_was_sent(sent: Path) -> None:
    command = [sys.executable, "-m", "meltwatch.apps.cli", "seal", "--once"]
    node = ["--node", str(EXAMPLES / "node.yaml"), "--data", str(sent)]
    subprocess.run([*command, *node], check=True, timeout=60)
    paths = [str(path) for path in segment_paths(sent / HISTORY / ENTERPRISE)]
    counted = duckdb.execute(
        "SELECT point, count(*) FROM read_parquet($paths) GROUP BY point ORDER BY point",
        {"paths": paths},
    ).fetchall()
    assert counted == [
        ("well-1/drain_open", 10),
        ("well-1/mould_flow", 10),
        ("well-1/phase", 10),
    ]
