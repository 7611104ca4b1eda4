"""What the core took is what plain DuckDB reads from the sealed segments."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from meltwatch.apps.seal import HISTORY, LEDGER, seal
from meltwatch.clock import SystemClock
from meltwatch.history.read import segment_paths
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.ids import EnterpriseId
from tests.apps.test_core import CONDITIONS, begin, frame
from tests.telling import plant_of

ENTERPRISE = plant_of(CONDITIONS).enterprise
ROWS = 'SELECT point, "at", value FROM read_parquet($paths) ORDER BY "at"'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    home = EmbeddedHome(tmp_path / LEDGER, sync="off")
    core = begin(home, plant_of(CONDITIONS))
    for second in range(60):
        core.take_samples([frame(second, 50.0 + second)])
    home.close()
    return tmp_path


def sealed(data: Path) -> list[tuple[str, int, float]]:
    paths = [str(path) for path in segment_paths(data / HISTORY / ENTERPRISE)]
    return duckdb.execute(ROWS, {"paths": paths}).fetchall()


def test_plain_duckdb_reads_what_the_core_took(data: Path) -> None:
    assert seal(data, [ENTERPRISE], SystemClock(), once=True).made == 1
    assert sealed(data) == [("t", second * 1000, 50.0 + second) for second in range(60)]


def test_sealing_again_makes_nothing_and_doubles_nothing(data: Path) -> None:
    seal(data, [ENTERPRISE], SystemClock(), once=True)
    assert seal(data, [ENTERPRISE], SystemClock(), once=True).made == 0
    assert len(sealed(data)) == 60


def test_it_goes_on_from_what_is_sealed(data: Path) -> None:
    seal(data, [ENTERPRISE], SystemClock(), once=True)
    home = EmbeddedHome(data / LEDGER, sync="off")
    begin(home, plant_of(CONDITIONS)).take_samples([frame(60, 7.0)])
    home.close()
    assert seal(data, [ENTERPRISE], SystemClock(), once=True).made == 1
    assert sealed(data)[-1] == ("t", 60_000, 7.0)
    assert len(sealed(data)) == 61


def test_one_damaged_history_is_told_and_the_others_are_sealed(data: Path) -> None:
    damaged = EnterpriseId("damaged")
    place = data / HISTORY / damaged
    place.mkdir(parents=True)
    (place / "catalogue.sqlite").write_bytes(b"nonsense" * 512)
    told: list[EnterpriseId] = []
    sealed_all = seal(
        data,
        [damaged, ENTERPRISE],
        SystemClock(),
        once=True,
        tell=lambda enterprise, *_: told.append(enterprise),
    )
    assert (sealed_all.made, [*sealed_all.failed], told) == (1, [damaged], [damaged])
    assert len(sealed(data)) == 60
