"""A small form of every bench, run as a person runs it: the figures are verified, no time is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meltwatch.apps.bench.command import BENCHES

SMALL: dict[str, tuple[str, ...]] = {
    "journey": ("--points", "400", "--plants", "1", "--seconds", "2"),
    "alarm": ("--points", "400", "--plants", "1", "--rate", "400", "--seconds", "4"),
    "storm": ("--points", "400", "--plants", "1", "--rate", "800"),
    "history": ("--points", "100", "--samples", "100000"),
    "restart": ("--points", "400", "--plants", "1", "--samples", "8000"),
    "growth": ("--points", "4000", "--plants", "1", "--seconds", "1"),
    "soak": ("--seconds", "10", "--rate", "400", "--kills", "3"),
}
FIGURES = {
    "journey": {"samples_per_s"},
    "alarm": {"p99_ms", "worst_ms", "fsync_p99_ms"},
    "storm": {"seconds"},
    "history": {"bytes_per_sample", "window_ms", "day10_ms", "instant_ms"},
    "restart": {"seconds"},
    "growth": {"ratio", "samples_per_s_at_600k", "rss_gb"},
    "soak": {"lost", "doubled"},
}
WITHIN_S = 120


def run(tmp_path: Path, *argv: str) -> tuple[int, dict[str, Any], str]:
    """Return a bench's exit code, its last line and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "meltwatch.apps.cli", "bench", *argv, "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    last = done.stdout.splitlines()[-1] if done.stdout else "{}"
    return done.returncode, msgspec.json.decode(last), done.stderr


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_small_form_is_verified_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    code, told, said = run(tmp_path, name, *SMALL[name], "--json")
    assert told["verified"], said
    assert code == 0
    assert set(told) == {"bench", "figures", "verified", "machine", "load", "calibration"}
    assert told["bench"] == name
    assert told["figures"].keys() >= FIGURES[name]
    assert all(isinstance(value, int | float) for value in told["figures"].values())
    assert not list(tmp_path.iterdir())


def test_columns_are_not_there_yet_and_it_says_so(tmp_path: Path) -> None:
    code, told, said = run(tmp_path, "columns")
    assert code != 0
    assert not told["verified"]
    assert "no columns" in said


def test_peers_run_where_their_programs_are_to_be_had(tmp_path: Path) -> None:
    """Without Debian's archive they cannot be fetched: then that is said, and ours still counts."""
    code, told, said = run(tmp_path, "peers", "--points", "400", "--seconds", "1", "--json")
    assert told["verified"], said
    assert code == 0
    assert told["figures"]["meltwatch_400_missed"] == 0
    for name in ("prometheus", "victoria"):
        assert f"{name}_400_missed" in told["figures"] or f"{name}_400_failed" in told["load"]


def test_each_bench_has_a_small_form() -> None:
    assert set(BENCHES) == set(SMALL) | {"columns", "peers"}
