"""Every story of the shared ground comes out exactly, however it is told.

Each telling goes through a whole node: a ledger on disk, the journey, what was committed.
"""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from meltwatch.apps.story import tell
from meltwatch.collect.story import Deliver, story_of

OWN = Path(__file__).parent


def kills(seed: int, until_s: float) -> tuple[float, ...]:
    """Return ten random instants of a story, to the millisecond."""
    chance = random.Random(seed)
    return tuple(sorted(round(chance.uniform(0, until_s), 3) for _ in range(10)))


def tellings(until_s: float, seed: int) -> dict[str, Deliver]:
    return {
        "plainly": Deliver(),
        "one by one, shuffled": Deliver(batches=1, shuffle=seed),
        "every frame twice": Deliver(duplicate=True),
        "killed ten times": Deliver(kill=kills(seed, until_s)),
        "all at once": Deliver(
            batches=7, shuffle=seed, duplicate=True, kill=kills(seed + 1, until_s)[::4]
        ),
    }


def difference(path: Path, telling: str, seed: int) -> list[str]:
    """Return how a story differs from what it expects; empty if it does not."""
    story = story_of(path)
    told = tell(story, tellings(story.told.until_s, seed)[telling])
    return [] if told.passed else told.difference or ["not passed"]


def failures(paths: list[Path], telling: str) -> dict[str, list[str]]:
    """Return what differs, by story, told side by side in two processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        told = [pool.submit(difference, path, telling, seed) for seed, path in enumerate(paths)]
        found = {path.name: one.result() for path, one in zip(paths, told, strict=True)}
    return {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize("telling", tellings(0, 0))
def test_shared_stories(shared: Path, telling: str) -> None:
    paths = sorted((shared / "stories").glob("*.story.yaml"))
    assert len(paths) >= 16
    assert failures(paths, telling) == {}


@pytest.mark.parametrize("telling", tellings(0, 0))
def test_own_stories(telling: str) -> None:
    paths = sorted(OWN.glob("*.story.yaml"))
    assert paths
    assert failures(paths, telling) == {}
