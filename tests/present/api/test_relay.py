"""One ear at the core, many screens: none waits for another, and nobody is told a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from meltwatch.model.ids import EnterpriseId, SourceId
from meltwatch.present.live.picture import Delta, Latest, Line
from meltwatch.present.live.relay import Relay, Stream, StreamEnded
from tests.present.api.line import ScriptedLine, Still
from tests.present.api.plants import CAST, FLOW, GW, HORN, NOW, SITES, STEEL, alarmed, picture

pytestmark = pytest.mark.anyio

Event = tuple[str, dict[str, Any]]


@asynccontextmanager
async def relaying(line: ScriptedLine, **other: Any) -> AsyncIterator[Relay]:
    relay = Relay(line, SITES, Still(NOW), **other)
    running = asyncio.create_task(relay.run())
    await settle()
    try:
        yield relay
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def heard(stream: Stream) -> list[Event]:
    await settle()
    return events(await stream.take(0))


def events(told: bytes) -> list[Event]:
    found = []
    for block in filter(None, told.decode().split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = msgspec.json.decode(fields["data"])
        assert fields["event"] == data["type"]
        assert fields.get("id", str(data.get("number"))) == str(data.get("number"))
        found.append((fields["event"], data))
    return found


def delta(number: int, enterprise: EnterpriseId = CAST, **changed: Any) -> Delta:
    return Delta(enterprise=enterprise, number=number, now=NOW + number, **changed)


async def test_a_stream_begins_with_the_picture_and_goes_on_by_number() -> None:
    line = ScriptedLine(picture(CAST), picture(STEEL))
    async with relaying(line) as relay:
        with relay.watch(CAST) as stream:
            (first, told), (beat, _) = await heard(stream)
            assert (first, told["number"], beat) == ("picture", 7, "beat")
            line.tell(delta(8, values={FLOW: Latest(NOW, 99.0, 0)}))
            line.tell(delta(8, STEEL))
            line.tell(delta(9))
            assert [(kind, told["number"]) for kind, told in await heard(stream)] == [
                ("delta", 8),
                ("delta", 9),
            ]
        shown = msgspec.json.decode(relay.picture_json(CAST) or b"")
        assert (shown["number"], shown["values"][FLOW]) == (9, [NOW, 99.0, 0])


async def test_a_delta_that_does_not_follow_makes_the_relay_ask_for_pictures_again() -> None:
    line = ScriptedLine(picture(CAST))
    async with relaying(line) as relay:
        with relay.watch(CAST) as stream:
            await heard(stream)
            line.pictures = [picture(CAST, number=12)]
            line.tell(delta(9))
            await asyncio.sleep(0.15)
            told = await heard(stream)
            assert line.asked == 2
            assert [kind for kind, _ in told] == ["beat", "picture", "beat"]
            assert told[0][1]["core_away_since"] == NOW
            assert told[1][1]["number"] == 12
            assert told[2][1]["core_away_since"] is None


async def test_a_lost_core_is_said_at_once_and_the_picture_stays_marked() -> None:
    line = ScriptedLine(picture(CAST))
    async with relaying(line) as relay:
        assert relay.away_since is None
        with relay.watch(CAST) as stream, relay.watch_all([CAST, STEEL]) as all_of_them:
            await heard(stream)
            await heard(all_of_them)
            line.cut()
            assert await heard(stream) == [
                ("beat", {"type": "beat", "now": NOW, "core_away_since": NOW})
            ]
            assert [kind for kind, _ in await heard(all_of_them)] == ["beat"]
        shown = msgspec.json.decode(relay.picture_json(CAST) or b"")
        assert (shown["number"], shown["core_away_since"]) == (7, NOW)
        (summary,) = msgspec.json.decode(relay.summaries_json([CAST]))
        assert summary["core_away_since"] == NOW


async def test_a_plant_that_is_not_told_yet_stays_away_while_another_is_there() -> None:
    async with relaying(ScriptedLine(picture(CAST))) as relay:
        assert relay.away_since is None
        assert relay.picture(STEEL) is None
        assert events(relay.beat(STEEL))[0][1]["core_away_since"] == NOW
        assert events(relay.beat(CAST))[0][1]["core_away_since"] is None


async def test_the_overview_hears_of_a_plant_only_when_more_than_values_change() -> None:
    line = ScriptedLine(picture(CAST), picture(STEEL))
    async with relaying(line) as relay:
        with relay.watch_all([CAST]) as stream:
            assert [kind for kind, _ in await heard(stream)] == ["summary", "beat"]
            line.tell(delta(8, values={FLOW: Latest(NOW, 99.0, 0)}))
            line.tell(delta(9, lines={GW: Line(complete_to=NOW)}))
            line.tell(delta(8, STEEL, lines={GW: Line(offline_since=NOW)}))
            assert await heard(stream) == []
            line.tell(delta(10, lines={SourceId("gw-1"): Line(offline_since=NOW)}))
            ((kind, told),) = await heard(stream)
            assert (kind, told["enterprise"], told["offline"]) == ("summary", CAST, 1)


async def test_a_slow_screen_is_ended_and_the_others_go_on() -> None:
    line = ScriptedLine(picture(CAST))
    async with relaying(line, most_waiting=5) as relay:
        with relay.watch(CAST) as slow, relay.watch(CAST) as quick:
            await heard(quick)
            for number in range(8, 14):
                line.tell(delta(number))
                assert [told["number"] for _, told in await heard(quick)] == [number]
            assert slow.over.is_set()
            with pytest.raises(StreamEnded):
                await slow.take(0)


async def test_a_plant_of_no_site_is_passed_over() -> None:
    stranger = EnterpriseId("stranger")
    line = ScriptedLine(alarmed(CAST))
    async with relaying(line) as relay:
        line.tell(Delta(enterprise=stranger, number=1, now=NOW))
        line.tell(delta(8, gone=(HORN,)))
        await settle()
        told = relay.picture(CAST)
        assert told is not None
        assert (told.number, told.occurrences) == (8, {})


async def test_when_the_process_stops_every_stream_ends() -> None:
    async with relaying(ScriptedLine(picture(CAST))) as relay:
        with relay.watch(CAST) as stream:
            relay.end()
            with pytest.raises(StreamEnded):
                await stream.take(0)
        with relay.watch_all([CAST]) as late, pytest.raises(StreamEnded):
            await late.take(0)
