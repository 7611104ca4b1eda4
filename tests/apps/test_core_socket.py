"""The local socket: where it is, what web is told, and what it sees when the core goes away.

A real socket between two tasks of one loop; the cores have a real ledger behind them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import msgspec
import pytest

from meltwatch.apps import core_socket
from meltwatch.apps.core_socket import MOST_LISTENERS, listening
from meltwatch.apps.node import NodeRefused
from meltwatch.model.ids import OccurrenceId, PointCode
from meltwatch.present.live import line as line_module
from meltwatch.present.live import wire
from meltwatch.present.live.core_line import CoreAway, Obeyed
from meltwatch.present.live.line import SocketLine
from meltwatch.present.live.picture import Delta, Picture, Told, apply
from meltwatch.present.live.wire import BEAT, Unframing, framed, socket_of
from tests.apps.core_node import ONE, TWO, Node, acknowledge, obey, order


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "data")
    yield node
    node.home.close()


# what is told


def test_web_is_told_a_picture_of_each_enterprise_and_then_deltas(node: Node) -> None:
    async def scene() -> dict[str, Picture]:
        copies: dict[str, Picture] = {}
        async with (
            node.serving(),
            SocketLine(node.data) as line,
            asyncio.timeout(10),
            aclosing(line.told()) as told,
        ):
            async for one in told:
                if isinstance(one, Picture):
                    copies[one.enterprise] = one
                    if len(copies) == 2:
                        node.frame(TWO.enterprise, 1, 61.0)
                else:
                    apply(copies[one.enterprise], one)
                    break
        return copies

    copies = asyncio.run(scene())
    assert list(copies) == [ONE.enterprise, TWO.enterprise]
    for name, feed in node.feeds.items():
        assert copies[name] == feed.picture()
    assert copies[TWO.enterprise].values[PointCode("t")].value == 61.0
    assert len(copies[TWO.enterprise].occurrences) == 1
    assert node.socket._listeners == []


def test_nothing_new_is_no_reason_to_think_the_core_away(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_socket, "BEAT_S", 0.05)
    monkeypatch.setattr(line_module, "SILENT_S", 0.3)

    async def scene() -> Told:
        async with (
            node.serving(),
            SocketLine(node.data) as line,
            asyncio.timeout(10),
            aclosing(line.told()) as told,
        ):
            await anext(told)
            await anext(told)
            later = asyncio.create_task(anext(told))
            await asyncio.sleep(1.0)
            assert not later.done()
            node.frame(ONE.enterprise, 1, 50.0)
            return await later

    assert isinstance(asyncio.run(scene()), Delta)


def test_a_hung_core_is_noticed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "SILENT_S", 0.3)
    monkeypatch.setattr(core_socket, "BEAT_S", 60.0)

    async def scene() -> int:
        got = 0
        async with node.serving(), SocketLine(node.data) as line, asyncio.timeout(10):
            with suppress(CoreAway):
                async for _ in line.told():
                    got += 1
        return got

    assert asyncio.run(scene()) == 2


def test_a_core_that_ends_is_noticed_and_its_successor_found(node: Node) -> None:
    async def scene() -> None:
        async with SocketLine(node.data) as line, asyncio.timeout(20):
            for _ in range(2):
                async with node.serving():
                    told = line.told()
                    await anext(told)
                    await anext(told)
                with pytest.raises(CoreAway):
                    await anext(told)
                with pytest.raises(CoreAway):
                    await anext(line.told())
                with pytest.raises(CoreAway):
                    await line.obey(order(1, acknowledge(OccurrenceId("x"))))

    asyncio.run(scene())


def test_no_more_listen_than_may_and_a_place_is_free_again(node: Node) -> None:
    async def scene() -> None:
        async with node.serving(), SocketLine(node.data) as line, asyncio.timeout(20):
            streams = [line.told() for _ in range(MOST_LISTENERS)]
            for one in streams:
                await anext(one)
            with pytest.raises(CoreAway):
                await anext(line.told())
            await streams.pop().aclose()
            async with asyncio.timeout(5):
                while len(node.socket._listeners) == MOST_LISTENERS:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            again = line.told()
            await anext(again)
            for one in [*streams, again]:
                await one.aclose()

    asyncio.run(scene())


def test_a_listener_that_takes_nothing_is_let_go(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Web is stopped in a debugger: neither memory nor the core waits for it."""
    monkeypatch.setattr(core_socket, "SEND_S", 0.2)
    big = PointCode("t")

    async def scene() -> None:
        async with node.serving(), asyncio.timeout(30):
            with socket.socket(socket.AF_UNIX) as web:
                web.setblocking(False)
                web.connect(str(socket_of(node.data)))
                web.send(b"GET /told HTTP/1.1\r\nHost: core\r\n\r\n")
                while not node.socket._listeners:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                (listener,) = node.socket._listeners
                value = 0.0
                while node.socket._listeners:
                    value += 1
                    values = {PointCode(f"{big}{n}"): (n, value, 0) for n in range(2_000)}
                    delta = {"enterprise": ONE.enterprise, "number": 1, "now": 1, "values": values}
                    listener.put(msgspec.convert({"type": "delta", **delta}, Told))
                    await asyncio.sleep(0.01)

    asyncio.run(scene())


# where it is


def test_the_socket_is_its_owners_alone_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):  # the first is left behind, as by a kill
        bound = listening(tmp_path)
        path = socket_of(tmp_path)
        assert path == tmp_path / "core.sock"
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o600
        bound.close()


def test_a_long_path_gets_a_private_place_that_both_sides_find(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 25)
    node = Node(data)
    path = socket_of(data)
    assert len(os.fsencode(path)) <= 100
    assert path.parent != data
    (told,) = obey(node, order(1, acknowledge(OccurrenceId("x"))))
    assert isinstance(told, Obeyed)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    node.home.close()


def test_a_place_that_others_may_enter_is_refused_by_both_sides(tmp_path: Path) -> None:
    data = tmp_path / ("open" * 25)
    data.mkdir()
    place = socket_of(data).parent
    place.mkdir(mode=0o700)
    place.chmod(0o755)
    try:
        with pytest.raises(NodeRefused):
            listening(data)

        async def scene() -> None:
            async with SocketLine(data) as line:
                with pytest.raises(CoreAway):
                    await anext(line.told())

        asyncio.run(scene())
    finally:
        place.rmdir()


def test_a_file_in_its_place_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "core.sock").write_text("somebody's")
    with pytest.raises(NodeRefused):
        listening(tmp_path)
    assert (tmp_path / "core.sock").read_text() == "somebody's"


# how it is cut


def test_what_is_told_is_cut_out_again_wherever_it_was_cut() -> None:
    told: list[Told] = [
        Picture(enterprise=ONE.enterprise, plant=ONE),
        Delta(enterprise=ONE.enterprise, number=1, now=5, gone=("x",)),
    ]
    sent = BEAT + framed(told[0]) + BEAT + framed(told[1])
    for size in (1, 3, 7, len(sent)):
        cut = Unframing()
        parts = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert [one for part in parts for one in cut.feed(part)] == told


def test_another_version_is_away_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CoreAway):
        list(Unframing().feed(b"\x00\x00\x00\x01\xc0"))
    monkeypatch.setattr(wire, "MOST_BYTES", 10)
    with pytest.raises(CoreAway):
        list(Unframing().feed(b"\x00\x00\x00\x0b"))
