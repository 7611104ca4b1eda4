"""One module reads the clock, one the environment: Ruff's ban bites everywhere else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.house import ROOT

BANNED = [
    ("from time import monotonic", "monotonic()"),
    ("import time", "time.time()"),
    ("import time", "time.time_ns()"),
    ("import time", "time.monotonic_ns()"),
    ("import time", "time.perf_counter()"),
    ("from datetime import UTC, datetime", "datetime.now(UTC)"),
    ("import datetime as dt", "dt.datetime.utcnow()"),
    ("from datetime import datetime", "datetime.today()"),
    ("import datetime", "datetime.date.today()"),
    ("import os", 'os.environ["HOME"]'),
    ("import os", 'os.getenv("HOME")'),
    ("import random", "random.random()"),
    ("from random import shuffle", "shuffle([])"),
]
ALL = "\n".join(f"{imports}\n{use}" for imports, use in BANNED)


@pytest.mark.parametrize(("imports", "use"), BANNED)
def test_reading_the_clock_the_environment_or_chance_is_refused(imports: str, use: str) -> None:
    told = ruff(f"{imports}\n{use}\n", "src/meltwatch/alarm/snippet.py")
    assert "TID251" in told


@pytest.mark.parametrize("place", ["src/meltwatch/apps/snippet.py", "tests/alarm/snippet.py"])
def test_neither_assembly_nor_tests_are_excepted(place: str) -> None:
    assert ruff(ALL, place).count("TID251") >= len(BANNED)


@pytest.mark.parametrize("place", ["src/meltwatch/clock.py", "src/meltwatch/settings.py"])
def test_the_two_that_read_them_may(place: str) -> None:
    assert "TID251" not in ruff(ALL, place)


def test_a_seeded_generator_is_allowed() -> None:
    told = ruff("import random\nrandom.Random(7).shuffle([])\n", "src/meltwatch/collect/snippet.py")
    assert "TID251" not in told


def ruff(source: str, place: str) -> str:
    """Return what ruff says of a source, as if it stood at a place of the project."""
    how = ["--select=TID251", "--output-format=concise", f"--stdin-filename={place}", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *how],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout
