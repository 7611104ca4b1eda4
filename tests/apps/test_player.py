"""Playing to a server that does what servers do: no answer, frames lost, refusals, a wrong clock.

The server speaks in documents of `transport.answer`; time goes on only by sleeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from meltwatch.apps.play import Play, tape_of
from meltwatch.apps.player import GIVE_UP_S, Hear, Player, PlayStopped, Signing
from meltwatch.collect.recording import PlayRefused
from meltwatch.errors import Problem
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.transport.answer import Answer, Standing, encode, refusal
from meltwatch.transport.errors import (
    Busy,
    DigestConflict,
    FrameRefused,
    SequenceGap,
    Unproven,
    problem,
)
from meltwatch.transport.frame import decode
from meltwatch.transport.signature import SharedSecret

GATEWAY, SECRET = SourceId("player"), "only for trials and tests"
Fault = Callable[[httpx.Request], httpx.Response | None]


class Ticking:
    """A clock that goes on only by sleeping."""

    def __init__(self) -> None:
        self.now = 1_750_000_000_000

    def wall_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


class Server:
    """Takes frames as the protocol says; `faults` meet the next frames, one each."""

    def __init__(self, clock: Ticking) -> None:
        self.clock = clock
        self.taken: list[bytes] = []
        self.arrivals: list[tuple[int, int]] = []
        self.faults: deque[Fault] = deque()
        self.newest: EpochId | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or let the next fault meet a frame."""
        if request.method == "GET":
            return self.standing(EpochId(request.url.path.rpartition("/")[2]))
        if self.faults and (met := self.faults.popleft()(request)) is not None:
            return met
        return self.take(request)

    def standing(self, epoch: EpochId) -> httpx.Response:
        self.newest = max(self.newest or epoch, epoch)
        told = Standing(
            gateway=GATEWAY,
            epoch=epoch,
            last_seq=len(self.taken),
            newest_epoch=self.newest,
            server_time=self.clock.now,
        )
        return httpx.Response(200, content=encode(told))

    def take(self, request: httpx.Request) -> httpx.Response:
        body, frame = request.content, decode(request.content)
        if frame.seq > len(self.taken) + 1:
            return self.refuses(SequenceGap(len(self.taken) + 1))
        if frame.seq <= len(self.taken) and self.taken[frame.seq - 1] != body:
            return self.refuses(DigestConflict(frame.seq))
        if frame.seq == len(self.taken) + 1:
            self.taken.append(body)
            self.arrivals.append((self.clock.now, frame.complete_to))
        told = Answer(
            accepted=len(frame.rows), last_seq=len(self.taken), server_time=self.clock.now
        )
        return httpx.Response(200, content=encode(told))

    def refuses(self, error: FrameRefused) -> httpx.Response:
        return httpx.Response(error.status, content=encode(refusal(error, self.clock.now)))

    def rows(self) -> list[Any]:
        return [row for body in self.taken for row in decode(body).rows]


def well(_: httpx.Request) -> httpx.Response | None:
    """No fault."""
    return None


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def server(clock: Ticking) -> Server:
    return Server(clock)


def player_of(
    server: Server, directory: Path, speed: float | None = 60, said: list[Problem] | None = None
) -> Player:
    (directory / "map.yaml").write_text("time: {column: t, format: unix_s}\npoints: {u/p: p}\n")
    lines = [f"{1_700_000_000 + 2 * n},{n}" for n in range(100)]
    (directory / "a.csv").write_text("\n".join(["t,p", *lines]))
    asked = Play(
        csv=directory / "a.csv",
        map=directory / "map.yaml",
        to="http://node",
        gateway=GATEWAY,
        key_id="k",
        secret=SECRET,
        speed=speed,
    )
    client = httpx.Client(base_url=asked.to, transport=httpx.MockTransport(server))
    hear = Hear(report=(said if said is not None else []).append, sleep=server.clock.sleep)
    signing = Signing("k", SharedSecret(gateway=GATEWAY, secret=SECRET.encode()))
    return Player(tape_of(asked), client, signing, server.clock, speed=speed, hear=hear)


def assert_whole(server: Server, player: Player) -> None:
    assert player.is_whole
    assert [row[2] for row in server.rows()] == [float(n) for n in range(100)]
    assert (player.counts.samples, player.counts.frames) == (100, len(server.taken))


@pytest.mark.parametrize("speed", [1, 30, 60])
def test_a_frame_comes_when_its_time_has_come(server: Server, tmp_path: Path, speed: float) -> None:
    player = player_of(server, tmp_path, speed)
    begun = server.clock.now
    player.run()
    assert_whole(server, player)
    first = server.arrivals[0][1]
    for at, complete_to in server.arrivals:
        assert abs((at - begun) - (complete_to - first) / speed) <= 1
    apart = [after[0] - before[0] for before, after in pairwise(server.arrivals[:-1])]
    assert min(apart) >= 99


def test_without_answers_the_same_bytes_go_again(server: Server, tmp_path: Path) -> None:
    said: list[Problem] = []
    player = player_of(server, tmp_path, said=said)

    def lost_on_the_way_back(request: httpx.Request) -> httpx.Response:
        server.take(request)
        raise httpx.ReadTimeout("timed out")

    def proxy(_: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="Bad gateway")

    server.faults.extend([well, lost_on_the_way_back, proxy])
    player.run()
    assert_whole(server, player)
    assert player.counts.sent_again == 2
    assert [one.key for one in said] == ["session.unavailable", "session.recovered"]


@pytest.mark.parametrize("speed", [60, None])
def test_a_server_that_lost_frames_gets_them_again(
    server: Server, tmp_path: Path, speed: float | None
) -> None:
    player = player_of(server, tmp_path, speed)

    def forget(_: httpx.Request) -> httpx.Response | None:
        del server.taken[1:], server.arrivals[1:]
        return None

    server.faults.extend([well] * 3 + [forget])
    player.run()
    assert_whole(server, player)


def test_a_server_that_never_answers_is_given_up(server: Server, tmp_path: Path) -> None:
    def down(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    server.faults.extend([well, *[down] * 10_000])
    player = player_of(server, tmp_path)
    begun = server.clock.now
    with pytest.raises(PlayStopped) as stopped:
        player.run()
    assert stopped.value.problem.key == "session.unavailable"
    assert GIVE_UP_S * 1000 <= server.clock.now - begun <= GIVE_UP_S * 1000 + 1000
    assert (player.is_whole, player.counts.frames) == (False, 1)


def test_a_server_that_is_always_busy_is_given_up(server: Server, tmp_path: Path) -> None:
    server.faults.extend([well, *[lambda _: server.refuses(Busy(900))] * 1_000])
    with pytest.raises(PlayStopped) as stopped:
        player_of(server, tmp_path).run()
    assert stopped.value.problem == Problem("", "frame.busy", {"after_ms": 900})


def test_a_refusal_ends_the_play_at_once(server: Server, tmp_path: Path) -> None:
    wrong = Unproven(problem("Meltwatch-Key", "frame.key_unknown", {"key": "k"}))
    server.faults.append(lambda _: server.refuses(wrong))
    begun = server.clock.now
    with pytest.raises(PlayRefused) as refused:
        player_of(server, tmp_path).run()
    assert [one.key for one in refused.value.problems] == ["frame.key_unknown"]
    assert server.clock.now == begun


def test_a_file_changed_while_it_is_played_is_a_conflict(server: Server, tmp_path: Path) -> None:
    def other(_: httpx.Request) -> httpx.Response | None:
        return server.refuses(DigestConflict(2))

    server.faults.extend([well, other])
    with pytest.raises(PlayStopped) as stopped:
        player_of(server, tmp_path).run()
    assert stopped.value.problem.key == "session.conflict"


def test_a_clock_behind_the_last_play_opens_a_later_epoch(server: Server, tmp_path: Path) -> None:
    server.newest = EpochId(f"{server.clock.now + 5_000_000:012x}-00000000000000aa")
    newest = server.newest
    player = player_of(server, tmp_path)
    player.run()
    assert_whole(server, player)
    assert {decode(body).epoch for body in server.taken} == {player.epoch}
    assert player.epoch > newest
