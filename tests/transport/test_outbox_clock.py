"""What a wrong clock stamped is mended before it is sent, marked, or kept: never told as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from meltwatch.model.ids import EpochId
from meltwatch.model.quality import Quality
from meltwatch.transport.epoch import EPOCH_AHEAD_MS, started_ms
from meltwatch.transport.frame import Frame, decode
from meltwatch.transport.outbox import Held, Outbox, Signer
from meltwatch.transport.outbox_clock import Basis, Proof, Settled
from meltwatch.transport.outbox_drop import Bound
from meltwatch.transport.signature import verify
from tests.transport.given import FLOW, GATEWAY, NOW, SECRET

SIGNER = Signer("gw-1.a", SECRET)
DAY_MS = 86_400_000
MONOTONIC = 5_000_000
TRUE = NOW - MONOTONIC
GOLDEN = Path(__file__).parent / "golden"


class Bench:
    """An outbox whose gateway's clock is off, told in seconds of the true time since NOW."""

    def __init__(self, path: Path, bound: Bound | None = None) -> None:
        self.outbox = Outbox(path, GATEWAY, SIGNER, bound)
        self.off_ms = 0
        self.life = "one"

    def open(self, second: int, *, proven: bool = False) -> EpochId:
        basis = None if proven else Basis(offset_ms=TRUE + self.off_ms, boot=self.life)
        now = NOW + second * 1000 + self.off_ms
        return self.outbox.open_epoch(now, bytes([second % 256] * 8), basis=basis)

    def put(self, *seconds: int) -> None:
        """Put the frames of `(second - 1, second]`, a row at each second."""
        for second in seconds:
            end = NOW + second * 1000 + self.off_ms
            self.outbox.put([[FLOW, end, float(second)]], end - 1000, end, now=end)

    def settle(
        self, second: int, newest: EpochId | None = None, *, recorded: bool = False
    ) -> tuple[Settled, ...]:
        basis = Basis(offset_ms=TRUE, boot=self.life)
        now = NOW + second * 1000
        return self.outbox.settle(Proof(now=now, newest=newest, basis=basis, recorded=recorded))

    def frames(self) -> list[Frame]:
        """Return all that would be sent, oldest first, each checked to be signed."""
        told = []
        for held in reversed(self.outbox.epochs()):
            for seq in range(held.first, held.last + 1):
                sealed = self.outbox.unsent(held.epoch, seq - 1)
                assert verify(SECRET, sealed.body, sealed.signature)
                assert self.outbox.unsent(held.epoch, seq - 1) == sealed, "the same every time"
                frame = decode(sealed.body)
                assert (frame.epoch, frame.seq) == (held.epoch, seq)
                told.append(frame)
        return told


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.sqlite")
    yield made
    made.outbox.close()


def seconds(frames: list[Frame]) -> list[tuple[int, ...]]:
    """Return of each frame its interval's end and its rows' instants, s since NOW."""
    return [
        tuple((at - NOW) // 1000 for at in (one.complete_to, *(row[1] for row in one.rows)))
        for one in frames
    ]


def test_a_clock_that_was_right_changes_nothing(bench: Bench) -> None:
    epoch = bench.open(0)
    bench.put(1, 2)
    assert not bench.outbox.is_proven
    bench.off_ms = 1_500
    assert bench.settle(3) == ()
    assert bench.outbox.is_proven
    assert bench.outbox.epochs() == (Held(epoch, 1, 2),)
    assert seconds(bench.frames()) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("off_ms", [DAY_MS, -DAY_MS])
def test_a_clock_wrong_by_a_day_is_moved_and_its_epoch_named_anew(
    bench: Bench, off_ms: int
) -> None:
    bench.off_ms = off_ms
    epoch = bench.open(0)
    bench.put(1, 2)
    (told,) = bench.settle(3)
    assert (told.former, told.moved_ms, told.frames) == (epoch, -off_ms, 2)
    assert started_ms(told.epoch) == NOW
    bench.put(3)  # what was still in memory, stamped by the same clock
    bench.off_ms = 0
    live = bench.open(4, proven=True)
    bench.put(5)
    assert started_ms(live) == NOW + 4_000, "no day ahead"
    assert seconds(bench.frames()) == [(1, 1), (2, 2), (3, 3), (5, 5)]


@pytest.mark.parametrize("off_ms", [DAY_MS, -DAY_MS])
def test_restarts_with_another_clock_each_are_all_mended(bench: Bench, off_ms: int) -> None:
    """Ahead, then right, then behind, all in one life of the machine and without the server."""
    for start, off in ((0, off_ms), (10, 0), (20, -off_ms), (30, off_ms)):
        bench.off_ms = off
        bench.open(start)
        bench.put(start + 1, start + 2)
    bench.settle(40)
    frames = bench.frames()
    assert [end for end, _ in seconds(frames)] == [1, 2, 11, 12, 21, 22, 31, 32]
    assert all(end == at for end, at in seconds(frames))
    starts = [started_ms(one.epoch) - NOW for one in frames[::2]]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] <= 40_010, "not ahead of the server"


def test_names_go_behind_what_the_server_has(bench: Bench) -> None:
    """The server was once told of an epoch a day ahead: later ones ascend from there."""
    poison = EpochId(f"{NOW + DAY_MS:012x}-{'0' * 16}")
    bench.open(0)
    bench.put(1)
    bench.settle(3, poison)
    (held,) = bench.outbox.epochs()
    assert poison < held.epoch
    assert started_ms(held.epoch) <= started_ms(poison) + EPOCH_AHEAD_MS
    assert seconds(bench.frames()) == [(1, 1)]


def test_what_is_played_keeps_its_instants(bench: Bench) -> None:
    bench.off_ms = DAY_MS
    bench.open(0)
    bench.off_ms = 0
    bench.put(1)
    (told,) = bench.settle(3, recorded=True)
    assert started_ms(told.epoch) == NOW + 3_000, "no later than now"
    assert seconds(bench.frames()) == [(1, 1)]


def test_another_life_of_the_machine_that_can_be_true_is_marked(bench: Bench) -> None:
    bench.open(0)
    bench.settle(1)
    bench.life = "two"
    bench.open(10)
    bench.put(11)
    bench.life = "three"
    bench.open(20)
    bench.put(21)
    (told,) = bench.settle(30)
    assert (told.unproven, told.moved_ms, told.frames) == (True, 0, 1)
    qualities = [one.rows[0][3:] for one in bench.frames()]
    assert qualities == [[int(Quality.CLOCK)], []]


@pytest.mark.parametrize("off_ms", [DAY_MS, -DAY_MS])
def test_another_life_of_the_machine_that_cannot_be_true_is_kept_and_not_sent(
    bench: Bench, off_ms: int
) -> None:
    bench.open(0)
    bench.settle(1)
    bench.life, bench.off_ms = "two", off_ms
    bench.open(10)
    bench.put(11, 12)
    bench.life, bench.off_ms = "three", 0
    bench.open(20)
    bench.put(21)
    told = bench.settle(30)
    assert [(one.aside, one.frames) for one in told if one.aside] == [(True, 2)]
    assert seconds(bench.frames()) == [(21, 21)]
    assert bench.outbox.held_bytes > 0


def test_what_is_lost_meanwhile_is_moved_with_the_rest(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "small.sqlite", Bound(bytes=1_500))
    bench.off_ms = DAY_MS
    bench.open(0)
    bench.put(*range(1, 9))
    bench.settle(9)
    frames = bench.frames()
    assert seconds(frames)[0] == (1, 1)
    assert seconds(frames)[-1] == (8, 8)
    lost = [interval for one in frames for interval in one.lost]
    assert lost
    assert all(NOW <= start < end <= NOW + 9_000 for start, end in lost)
    bench.outbox.close()


def test_an_epoch_that_the_server_holds_to_be_ahead_is_named_anew_once(bench: Bench) -> None:
    """The server has lost its disk: it no longer knows the epoch a day ahead that it once took."""
    bench.off_ms = DAY_MS
    former = bench.open(0, proven=True)
    bench.off_ms = 0
    bench.put(1, 2)
    bench.outbox.unsent(former, 0)
    (told,) = bench.settle(3)
    assert (told.former, told.moved_ms) == (former, 0)
    assert seconds(bench.frames()) == [(1, 1), (2, 2)]
    assert bench.settle(4, told.epoch) == ()


def test_an_epoch_set_aside_is_never_the_newest(bench: Bench) -> None:
    epoch = bench.open(0, proven=True)
    bench.put(1)
    assert bench.outbox.set_aside(epoch) == 0
    bench.open(2, proven=True)
    assert bench.outbox.set_aside(epoch) == 1
    assert [one.last for one in bench.outbox.epochs()] == [0]


def test_an_outbox_of_version_1_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    shutil.copy(GOLDEN / "outbox.1.sqlite", path)
    for _ in range(2):
        bench = Bench(path)
        epochs = bench.outbox.epochs()
        assert bench.outbox.is_proven
        bench.outbox.close()
    assert epochs == (
        Held(EpochId("019862c2f280-0101010101010101"), 1, 6),
        Held(EpochId("0198628c0400-0000000000000000"), 1, 6),
    )
    bench = Bench(path)
    frames = bench.frames()
    assert [len(one.rows) for one in frames] == [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1]
    bench.outbox.close()
