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
    "columns": ("--points", "400", "--plants", "1", "--seconds", "2"),
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
    "columns": {"ratio_to_json"},
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


def test_each_bench_has_a_small_form() -> None:
    assert set(BENCHES) == set(SMALL) | {"peers"}
