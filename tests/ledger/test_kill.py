"""kill -9: everything acknowledged is there afterwards, nothing twice, wherever it struck."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import meltwatch
from meltwatch.ledger.check import check
from meltwatch.ledger.embedded import EmbeddedHome
from tests.ledger.telling import digest_of, everything, names

ROOT = Path(__file__).parents[2]
RUN = "from tests.ledger.appender import main; main(*sys.argv[1:])"
Acknowledged = list[tuple[str, int]]


def start(*told: str) -> subprocess.Popen[str]:
    """Start an appender on a pipe."""
    paths = [str(ROOT), str(Path(meltwatch.__file__).parents[1])]
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}; {RUN}", *told],
        stdout=subprocess.PIPE,
        text=True,
    )


def acknowledged(lines: list[str]) -> Acknowledged:
    """Read `source seq` lines; a line that the kill cut short was not said."""
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(source, int(seq)) for source, seq in whole]


def killed_after(path: Path, lines: int) -> Acknowledged:
    """Let an appender run until it has said `lines` lines, kill it, return all that it said."""
    with start(str(path)) as process:
        assert process.stdout
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    return acknowledged(said)


def killed_in(path: Path, place: str, nth: int = 1) -> Acknowledged:
    """Let an appender kill itself inside a method; return all that it said."""
    with start(str(path), place, str(nth)) as process:
        assert process.stdout
        said = process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return acknowledged(said)


def stored(path: Path, after: int = 0) -> Acknowledged:
    """Check the ledger as the kill left it, open and heal it, read it, and check it again."""
    assert check(path, digest_of) == []
    home = EmbeddedHome(path)
    try:
        found = names(everything(home.stream, after=after))
        for source, last in home.stream.sources().items():
            mine = [seq for name, seq in found if name == source]
            assert mine == list(range(last - len(mine) + 1, last + 1))
    finally:
        home.close()
    assert check(path, digest_of) == []
    return found


def test_five_kills_at_random_moments(tmp_path: Path) -> None:
    rounds = random.Random(20240808)
    said: Acknowledged = []
    for _ in range(5):
        said += killed_after(tmp_path / "ledger", rounds.randint(1, 60))
        found = stored(tmp_path / "ledger")
        assert len(found) == len(set(found))
        assert set(said) <= set(found)
    assert len(said) == len(set(said))


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("meltwatch.ledger.index:Index.apply", 1),
        ("meltwatch.ledger.index:Index.apply", 9),
        ("meltwatch.ledger.logfile:LogFile.append", 1),
        ("meltwatch.ledger.logfile:LogFile.seal", 1),
        ("pathlib:Path.rename", 1),
        ("pathlib:Path.rename", 2),
    ],
)
def test_a_kill_between_two_steps(tmp_path: Path, place: str, nth: int) -> None:
    path = tmp_path / "ledger"
    said = killed_in(path, place, nth)
    found = stored(path)
    # What was stored and not said is at most the call in hand; it is answered `Known` later.
    assert found[: len(said)] == said
    assert len(found) - len(said) <= 3
    assert set(found) < set(found + killed_after(path, 5))
    assert len(stored(path)) >= len(found) + 5


def test_a_kill_inside_retention(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    said = killed_in(path, "meltwatch.ledger.shelf:Shelf.remove")
    before = sorted(path.glob("log-*.sqlite"))
    home = EmbeddedHome(path)
    assert [problem.key for problem in home.stream.healed] == ["ledger.leftover_removed"]
    home.close()
    assert sorted(path.glob("log-*.sqlite")) == before[1:]
    first = int(before[1].stem.removeprefix("log-"))
    assert stored(path, after=first - 1) == said[first - 1 :]
