"""kill -9: sealing goes on from where it was, nothing twice, left out or left over."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from meltwatch.history.catalogue import Catalogue
from meltwatch.history.read import check, read_rows, segment_paths
from tests.history.telling import Told, differences, kept, random_log

ROOT = Path(__file__).parents[2]
SEED = 20240808


def start(path: Path, frames: int, *kill: str) -> subprocess.Popen[str]:
    """Start a sealing process on a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.history.sealing", str(path), str(SEED), str(frames), *kill],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def finished(path: Path, frames: int) -> None:
    """Go on to the end; then all is sealed exactly once, and nothing else lies there."""
    with start(path, frames) as process:
        assert process.stdout
        assert process.stdout.readlines()[-1] == f"done {frames * 2}\n"
    assert process.returncode == 0
    assert check(path) == []
    assert differences(path, kept(random_log(SEED, frames))) == []
    assert sorted((path / "segments").iterdir()) == sorted(segment_paths(path))
    view = Catalogue(path).view()
    assert {one.kind for one in view.segments} == {"hour"}
    assert sum(one.rows for one in view.segments) == len(kept(random_log(SEED, frames)))


def test_five_kills_at_random_moments(tmp_path: Path) -> None:
    rounds, frames, sealed = random.Random(SEED), 600, 0
    for _ in range(5):
        with start(tmp_path, frames) as process:
            assert process.stdout
            opened = int(process.stdout.readline().split()[1])
            assert opened >= sealed
            said = [process.stdout.readline() for _ in range(rounds.randint(1, 12))]
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        assert process.returncode == -signal.SIGKILL
        sealed = int([line for line in said if line.endswith("\n")][-1].split()[1])
        assert check(tmp_path) == []
    finished(tmp_path, frames)


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("os:fsync", 4),
        ("pathlib:Path.rename", 3),
        ("meltwatch.history.sealer:sync_directory", 3),
        ("meltwatch.history.catalogue:Catalogue.register", 3),
    ],
)
def test_a_kill_between_two_steps(tmp_path: Path, place: str, nth: int) -> None:
    with start(tmp_path, 24, place, str(nth)) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert sorted((tmp_path / "segments").iterdir()) != sorted(segment_paths(tmp_path))
    finished(tmp_path, 24)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize(
    "place",
    [
        "meltwatch.history.compact:Compactor._merge",
        "meltwatch.history.compact:Compactor._write_minutes",
        "meltwatch.history.compact:Compactor._hold",
        "meltwatch.history.compact:sync_directory",
        "meltwatch.history.catalogue:Catalogue.replace",
        "meltwatch.history.catalogue:Catalogue._insert",
        "meltwatch.history.compact:retire",
        "meltwatch.history.compact:retired_path",
        "meltwatch.history.sealer:purge",
        "meltwatch.history.catalogue:Catalogue.forget_retired",
    ],
)
def test_a_kill_within_compaction_loses_and_doubles_nothing(
    tmp_path: Path, place: str, nth: int
) -> None:
    frames = 200
    with start(tmp_path, frames, place, str(nth)) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    log = random_log(SEED, frames)
    sealed_to = Catalogue(tmp_path).sealed_to()
    assert check(tmp_path) == []
    assert held(tmp_path) == sorted(kept(one for one in log if one[0] <= sealed_to))
    finished(tmp_path, frames)


def held(path: Path) -> list[Told]:
    """Return what a reader finds through the catalogue."""
    rows = read_rows(path)
    points = [rows.points[place] for place in rows.point.tolist()]
    columns = (rows.at.tolist(), rows.value.tolist(), rows.quality.tolist())
    return sorted(zip(points, *columns, strict=True))
