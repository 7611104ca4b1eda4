"""Every story of the shared ground comes out exactly, however it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.apps.story import tell
from meltwatch.collect.story import Deliver, story_of

TELLINGS = {
    "plainly": Deliver(),
    "one-by-one-shuffled": Deliver(batches=1, shuffle=1),
    "by-fives-shuffled": Deliver(batches=5, shuffle=2),
}
OWN = Path(__file__).parent


def paths(shared: Path) -> list[Path]:
    return sorted((shared / "stories").glob("*.story.yaml"))


@pytest.mark.parametrize("telling", TELLINGS)
def test_shared_stories(shared: Path, telling: str) -> None:
    found = {path.name: tell(story_of(path), TELLINGS[telling]) for path in paths(shared)}
    assert len(found) >= 16
    assert {name: told.difference for name, told in found.items() if not told.passed} == {}


@pytest.mark.parametrize("telling", TELLINGS)
@pytest.mark.parametrize("path", sorted(OWN.glob("*.story.yaml")), ids=lambda path: path.stem)
def test_own_stories(path: Path, telling: str) -> None:
    told = tell(story_of(path), TELLINGS[telling])
    assert told.difference == []
