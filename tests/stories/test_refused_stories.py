"""A story that cannot be told is refused: it must not pass by telling nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.apps.story import tell
from meltwatch.collect.story import Deliver, story_of
from meltwatch.errors import StoryRefused

OWN = Path(__file__).parent
STORY = (OWN / "02-grace-not-confirmed.story.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("period_s: 5", "period_s: 0", "too_short"),
        ("[98, 100]", "[98, .nan]", "not_finite"),
        ("[98, 100], [101, 180]", "[101, 100], [98, 180]", "not_ascending"),
        ("path: [[0, 1]]", "path: []", "not_ascending"),
        ("[[100, 115]]", "[[115, 100]]", "span_reversed"),
        ("+08:00", "", "zone_missing"),
        ("until_s: 200", "until_s: -1", "negative"),
        ("until_s: 200", "until_s: 200\nuntil_s: 100", "malformed"),
        ("plant: small", "plant: ../small", "no_name"),
        ("plant: small", "plant: none", "unreadable"),
        ("  valve:", "  gate:", "unknown_point"),
    ],
)
def test_a_story_that_cannot_be_told(tmp_path: Path, old: str, new: str, reason: str) -> None:
    told = STORY.replace("path: [[0, 0]]", "path: [[0, 1]]")
    assert old in told
    (tmp_path / "plants").symlink_to(OWN / "plants")
    path = tmp_path / "x.story.yaml"
    path.write_text(told.replace(old, new), "utf-8")
    with pytest.raises(StoryRefused) as refused:
        story_of(path)
    assert reason in {one.key for one in refused.value.problems}


@pytest.mark.parametrize("at", [-1.0, 1000.0, float("nan")])
def test_a_kill_outside_of_the_story(at: float) -> None:
    story = story_of(OWN / "02-grace-not-confirmed.story.yaml")
    with pytest.raises(StoryRefused):
        tell(story, Deliver(kill=(at,)))
