"""Every shared story, told by instruments at 60 times real time, comes out as it should.

Nothing stands in for anything: an OPC UA server plays the rows, the source subscribes, the gateway
frames, the link sends, a core behind HTTP decides; a line that is down is cut by a proxy.
Exact to the millisecond, but for `offline`, which is the receiver's clock's (`OFFLINE_WITHIN_S`).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from meltwatch.collect.story import Expected, Story, story_of
from meltwatch.model.condition import Offline
from meltwatch.model.ids import ConditionId, UnitId, in_unit
from tests.opcua_stories.telling import SPEED, Told, tell

AT_ONCE = 4
"""Stories told side by side: what two cores bear that others use too."""
OFFLINE_WITHIN_S = 0.5 * SPEED
"""Seconds of the story: half a real second for the way to the server and for backing off."""


def test_shared_stories(shared: Path, tmp_path: Path) -> None:
    paths = sorted((shared / "stories").glob("*.story.yaml"))
    assert len(paths) >= 16
    stories = {path: story_of(path) for path in paths}
    longest_first = sorted(paths, key=lambda path: -stories[path].told.until_s)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, mp_context=context) as pool:
        telling = {path: pool.submit(tell, path, tmp_path / path.stem) for path in longest_first}
        told = {path: one.result() for path, one in telling.items()}
    found = {path.name: list(differences(stories[path], told[path])) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert any(one.told.lines_down for one in stories.values()), "no line was ever cut"


def differences(story: Story, told: Told) -> list[str]:
    """Return how a telling differs from the story and from what it tells of itself."""
    lines = [f"unexpected {one}" for one in _unmatched(story, told.occurrences, story.told.expect)]
    lines += [f"missing {one}" for one in _unmatched(story, story.told.expect, told.occurrences)]
    if told.rows_missing or told.rows_more:
        lines.append(f"{told.rows_missing} rows are missing, {told.rows_more} too many")
    outages = len(story.told.lines_down)
    if told.epochs != 1 + outages:
        lines.append(f"{told.epochs} runs with {outages} outages")
    if bool(told.refused) != bool(outages):
        lines.append(f"{told.refused} connections met a cut line, of {outages}")
    about = [one.partition(" ")[0] for one in told.reports]
    if about != ["session.unavailable", "session.recovered"] * outages:
        lines.append(f"reports {told.reports}")
    return lines


def _unmatched(
    story: Story, ones: Sequence[Expected], others: Sequence[Expected]
) -> list[Expected]:
    """Return those of the first that none of the second equals, each used once."""
    left = list(others)
    unmatched = []
    for one in ones:
        found = next((other for other in left if _are_equal(story, one, other)), None)
        if found is None:
            unmatched.append(one)
        else:
            left.remove(found)
    return unmatched


def _are_equal(story: Story, one: Expected, other: Expected) -> bool:
    name = ConditionId(in_unit(UnitId(story.told.plant), one.condition))
    if not isinstance(story.plant.conditions.get(name), Offline):
        return one == other
    if (one.condition, one.flags) != (other.condition, other.flags):
        return False
    if one.returned is None or other.returned is None:
        return one.returned == other.returned
    ends = (one.raised - other.raised, one.returned - other.returned)
    return all(abs(end) <= OFFLINE_WITHIN_S for end in ends)
