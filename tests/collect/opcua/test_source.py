"""The source against real servers: constants, odd values, lost lines; and it only reads."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.methods import uamethod
from asyncua.ua.uaerrors import UaStatusCodeError
from msgspec.structs import replace

from meltwatch.collect.opcua import OpcUa, OpcUaSource, Player, Scaling
from meltwatch.collect.opcua.player import Second
from meltwatch.errors import Refused
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row
from tests.collect.opcua.stage import (
    CLOCK,
    FLOW,
    PHASE,
    PRESSURE,
    Listener,
    Recorder,
    Stand,
    bounded,
    calm,
    free_port,
    listening,
)

T0 = 1_800_000_000_000
POINTS = (FLOW, PRESSURE)


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """Return one server for the tests that leave no mark on it: to make one takes seconds."""
    with Stand(POINTS) as one:
        yield one


def live(player: Player) -> OpcUa:
    return OpcUa(
        endpoint=player.endpoint, mapping=dict(player.mapping), settle_ms=300, heartbeat_s=0.3
    )


def played(player: Player) -> OpcUa:
    return OpcUa(
        endpoint=player.endpoint,
        mapping=dict(player.mapping),
        domain="recorded",
        clock_node=player.clock_node,
        heartbeat_s=0.2,
        request_s=1.0,
        backoff_s=0.05,
        backoff_most_s=0.1,
    )


def seconds_of(first: int, count: int) -> list[Second]:
    """Return seconds with two points at three instants each."""
    return [
        (
            T0 + n * 1000,
            [(code, T0 + n * 1000 - ms, float(n), 0) for code in POINTS for ms in (0, 250, 500)],
        )
        for n in range(first, first + count)
    ]


def test_a_constant_does_not_fall_silent_and_equal_values_come_with_their_times(
    stand: Stand,
) -> None:
    player = stand.player

    async def play() -> None:
        await player.write((FLOW, CLOCK.wall_ms(), 42.0, 0))
        async with listening(live(player)) as listener:
            await listener.until(lambda: listener.runs)
            stamps = []
            for _ in range(5):
                await asyncio.sleep(0.05)
                stamps.append(CLOCK.wall_ms())
                await player.write((PRESSURE, stamps[-1], 0.2, 0))
            await listener.until(lambda: len(listener.of(FLOW)) >= 3)
            assert {row[2] for row in listener.of(FLOW)} == {42.0}
            instants = [row[1] for row in listener.of(FLOW)]
            assert all(one < other for one, other in pairwise(instants))
            assert set(stamps) <= {row[1] for row in listener.of(PRESSURE) if not row[3]}
            assert listener.behind == []
            assert listener.reports == []

    stand.run(play)


def test_bad_and_uncertain_values_keep_their_instants(stand: Stand) -> None:
    player = stand.player
    rows: list[Row] = [
        (FLOW, T0, 1.0, 0),
        (FLOW, T0 + 1000, 2.0, int(Quality.UNCERTAIN)),
        (FLOW, T0 + 2000, 3.0, int(Quality.BAD)),
        (FLOW, T0 + 3000, 3.0, int(Quality.BAD)),
        (FLOW, T0 + 4000, 4.0, 0),
    ]

    async def play() -> Listener:
        await player.tick(T0 - 1000)
        async with listening(played(player)) as listener:
            await listener.until(lambda: listener.runs)
            await calm(player.play([(row[1], [row]) for row in rows], speed=50))
            await listener.until(lambda: listener.complete_to == T0 + 4000)
            return listener

    got = [(row[1], None if math.isnan(row[2]) else row[2], row[3]) for row in stand.run(play).rows]
    assert got == [(row[1], None if row[3] & Quality.BAD else row[2], row[3]) for row in rows]


def test_odd_nodes_are_named_once_and_the_others_go_on(
    stand: Stand,
) -> None:
    player = stand.player

    gone = "ns=2;s=not there"

    async def play() -> None:
        objects = player.server.nodes.objects
        text = await objects.add_variable(ua.NodeId.from_string("ns=2;s=text"), "2:text", "casting")
        flag = await objects.add_variable(ua.NodeId.from_string("ns=2;s=flag"), "2:flag", True)
        asked = OpcUa(
            endpoint=player.endpoint,
            mapping={
                FLOW: player.mapping[FLOW],
                PRESSURE: gone,
                PHASE: text.nodeid.to_string(),
                FLAG: flag.nodeid.to_string(),
            },
            scaling={FLOW: Scaling(0.1, 1)},
            settle_ms=300,
            heartbeat_s=0.2,
        )
        async with listening(asked) as listener:
            await listener.until(lambda: listener.of(FLAG))
            for word in ("a", "b", "c"):
                await text.write_value(word)
            await flag.write_value(False)
            await player.write((FLOW, CLOCK.wall_ms(), 100.0, 0))
            await listener.until(lambda: {0.0, 1.0} <= {row[2] for row in listener.of(FLAG)})
            await listener.until(lambda: 11.0 in {row[2] for row in listener.of(FLOW)})
            assert listener.told("number") == [(PHASE, False)]
            assert listener.of(PHASE) == []
            assert [one.params["node"] for one in listener.reports if one.key == "node"] == [gone]
            late = ua.NodeId.from_string(gone)
            await objects.add_variable(late, "late", 5.0)
            await listener.until(lambda: listener.of(PRESSURE))
            assert listener.told("node") == [(PRESSURE, False), (PRESSURE, True)]
            assert listener.told("line") == []

    stand.run(play)


FLAG = type(FLOW)("well/flag")


def test_after_a_restart_of_the_server_a_new_run_begins(reads: Recorder) -> None:
    port = free_port()

    async def play() -> None:
        first, second = Player(POINTS, CLOCK, port), Player(POINTS, CLOCK, port)
        async with listening(played(first)) as listener:
            await listener.until(lambda: listener.told("line"))  # the server is not there yet
            async with first:
                await calm(first.watched.wait())
                await calm(first.play(seconds_of(0, 40), speed=60))
                await listener.until(lambda: listener.complete_to >= T0 + 39_000)
            await listener.until(lambda: len(listener.told("line")) == 3)
            async with second:
                await calm(second.play(seconds_of(50, 10), speed=60))  # before anybody listens
                await calm(second.watched.wait())
                await calm(second.play(seconds_of(60, 30), speed=60))
                await listener.until(lambda: listener.complete_to >= T0 + 89_000)
        assert [over for _, over in listener.told("line")] == [False, True, False, True]
        before, after = listener.runs
        end = listener.batches[listener.batches.index(after) - 1].complete_to
        assert after.lost == ((end, after.complete_from),)
        assert listener.behind == []
        spans = [(before.complete_from, end), (after.complete_from, listener.complete_to)]
        played_rows = [row for n in (0, 50) for _, rows in seconds_of(n, 40) for row in rows]
        expected = [row for row in played_rows if any(a < row[1] <= b for a, b in spans)]
        assert len(expected) > len(played_rows) // 2
        assert sorted(listener.rows) == sorted(expected)

    bounded(play)
    assert reads.requests.count("CreateMonitoredItemsRequest") >= 4
    assert reads.requests.count("ReadRequest") >= 4


def test_a_server_that_answers_but_tells_nothing_is_a_lost_line(
    stand: Stand,
) -> None:
    player = stand.player

    async def play() -> None:
        await player.tick(T0 + 10_000)
        async with listening(replace(played(player), silence_s=2.1)) as listener:
            await listener.until(lambda: listener.runs)
            service = player.server.iserver.subscription_service
            await service.delete_subscriptions(list(service.subscriptions))
            await listener.until(lambda: len(listener.runs) == 2)
            assert [over for _, over in listener.told("line")] == [False, True]

    stand.run(play)


def test_a_port_that_answers_nothing_is_a_lost_line_told_once() -> None:
    async def play() -> None:
        calls = 0
        often = asyncio.Event()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                often.set()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        asked = OpcUa(
            endpoint=f"opc.tcp://127.0.0.1:{port}",
            mapping={FLOW: "ns=2;s=x"},
            request_s=0.1,
            backoff_s=0.01,
            backoff_most_s=0.02,
        )
        async with server, listening(asked) as listener:
            await calm(often.wait())
            assert listener.told("line") == [("", False)]

    bounded(play)


def test_the_recorder_sees_a_write_and_a_call(stand: Stand, recorder: Recorder) -> None:
    player = stand.player

    @uamethod
    def stop(parent: ua.NodeId) -> None:
        assert parent is not None

    async def play() -> None:
        objects = player.server.nodes.objects
        method = await objects.add_method(2, "stop", stop)
        async with Client(player.endpoint) as client:
            with pytest.raises(UaStatusCodeError):
                await client.get_node(player.mapping[FLOW]).write_value(1.0)
            await client.nodes.objects.call_method(method.nodeid)

    stand.run(play)
    assert {"WriteRequest", "CallRequest"} <= set(recorder.requests)


def test_a_configuration_is_refused_with_every_problem_at_once() -> None:
    wrong = OpcUa(
        endpoint="opc.tcp://x",
        mapping={FLOW: "nonsense", PRESSURE: "i=1"},
        scaling={PHASE: Scaling()},
        domain="recorded",
        least_stale_s=8,
        silence_s=1,
        settle_ms=-1,
        queue=0,
    )
    with pytest.raises(Refused) as refused:
        OpcUaSource(wrong, CLOCK, random.Random(1))
    assert {one.place for one in refused.value.problems} == {
        f"mapping/{FLOW}",
        f"scaling/{PHASE}",
        "clock_node",
        "heartbeat_s",
        "silence_s",
        "settle_ms",
        "queue",
    }
