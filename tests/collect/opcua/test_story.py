"""A whole story through a real server and the source: every row, and an honest completeness."""

from __future__ import annotations

from pathlib import Path

from meltwatch.collect.opcua import OpcUa, Player, rows_by_second
from meltwatch.collect.story import story_of
from tests.collect.opcua.stage import CLOCK, bounded, calm, listening

STORY = "03-interlock-fails-to-act.story.yaml"


def test_a_story_comes_through_a_server_row_by_row(shared: Path) -> None:
    story = story_of(shared / "stories" / STORY)
    seconds = list(rows_by_second(story))
    expected = sorted(row for _, rows in seconds for row in rows)
    assert len(expected) > 10_000

    async def play() -> None:
        async with Player(story.plant.points, CLOCK) as player:
            asked = OpcUa(
                endpoint=player.endpoint,
                mapping=dict(player.mapping),
                domain="recorded",
                clock_node=player.clock_node,
                heartbeat_s=0.5,
            )
            async with listening(asked) as listener:
                await calm(player.watched.wait())
                await calm(player.play(seconds, speed=600))
                await listener.until(lambda: listener.complete_to == story.until)
                assert sorted(listener.rows) == expected
                assert listener.behind == []
                assert listener.reports == []
                assert [one.complete_from for one in listener.runs] == [story.start - 1]

    bounded(play)
