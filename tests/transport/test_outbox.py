"""The outbox keeps what was put, byte for byte, until it is acknowledged or told as lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meltwatch.model.ids import EpochId, SourceId
from meltwatch.transport.epoch import started_ms
from meltwatch.transport.errors import TooLarge
from meltwatch.transport.frame import decode, encode
from meltwatch.transport.outbox import Held, NoEpoch, NotJoined, NotStored, Outbox, Signer
from meltwatch.transport.outbox_drop import Bound, merged
from meltwatch.transport.outbox_file import (
    OutboxDamaged,
    OutboxInUse,
    OutboxOfAnother,
    OutboxUnavailable,
    OutboxUnknownFormat,
)
from meltwatch.transport.signature import verify
from tests.transport.given import GATEWAY, NOW, OTHER, PRIVATE, SECRET

SIGNER = Signer("gw-1.a", SECRET)
RANDOM = bytes(range(8))


def outbox_at(path: Path, bound: Bound | None = None, gateway: SourceId = GATEWAY) -> Outbox:
    return Outbox(path, gateway, SIGNER, bound)


def rows(second: int, count: int = 1) -> list[Any]:
    return [["well-1/mould_flow", NOW + second * 1000, 0.5 + n] for n in range(count)]


def put(outbox: Outbox, second: int, count: int = 1, now: int | None = None) -> int:
    """Put the frame of `(second - 1, second]`; return its number."""
    end = NOW + second * 1000
    told = outbox.put(rows(second, count), end - 1000, end, now=end if now is None else now)
    return told.seq


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with outbox_at(path) as made:
        made.open_epoch(NOW, RANDOM)
        yield made


def test_what_is_put_is_a_signed_frame_of_the_newest_epoch(outbox: Outbox) -> None:
    told = outbox.put(rows(1, 2), NOW, NOW + 1000, now=NOW, layout="l-1", lost=[(NOW - 5, NOW)])
    sealed = outbox.unsent(told.epoch, 0)
    frame = decode(sealed.body)
    assert encode(frame) == sealed.body, "the canonical form"
    assert verify(SECRET, sealed.body, sealed.signature)
    assert sealed.key_id == "gw-1.a"
    assert (frame.gateway, frame.epoch, frame.seq, frame.mark) == (GATEWAY, told.epoch, 1, "real")
    assert (frame.complete_from, frame.complete_to) == (NOW, NOW + 1000)
    assert (frame.layout, frame.lost, frame.rows) == ("l-1", ((NOW - 5, NOW),), rows(1, 2))


def test_numbers_are_dense_and_bytes_outlive_a_new_key(outbox: Outbox, path: Path) -> None:
    assert [put(outbox, second) for second in (1, 2, 3)] == [1, 2, 3]
    (held,) = outbox.epochs()
    first = outbox.unsent(held.epoch, 0)
    outbox.close()
    with Outbox(path, GATEWAY, Signer("gw-1.b", PRIVATE)) as again:
        assert again.epochs() == (Held(held.epoch, 1, 3),)
        assert again.unsent(held.epoch, 0) == first
        assert put(again, 4) == 4
        assert again.unsent(held.epoch, 3).key_id == "gw-1.b"


def test_an_epoch_is_greater_than_all_before(outbox: Outbox, path: Path) -> None:
    first = outbox.epochs()[0].epoch
    put(outbox, 1)
    outbox.forget(first, 1)
    outbox.close()
    with outbox_at(path) as again:
        second = again.open_epoch(NOW - 10**9, bytes(8))
        assert second > first, "the clock went back"
        assert started_ms(second) == started_ms(first) + 1
        known = EpochId(f"{NOW + 10**6:012x}-{'f' * 16}")
        assert again.open_epoch(NOW, RANDOM, behind=known) > known
        assert [one.first for one in again.epochs()] == [1]


def test_what_is_acknowledged_is_forgotten_and_nothing_else(outbox: Outbox) -> None:
    epoch = outbox.epochs()[0].epoch
    for second in range(1, 5):
        put(outbox, second)
    outbox.forget(epoch, 2)
    outbox.forget(epoch, 1)  # said before
    assert outbox.epochs() == (Held(epoch, 3, 4),)
    with pytest.raises(NotStored):
        outbox.unsent(epoch, 1)
    with pytest.raises(NotStored):
        outbox.forget(epoch, 5)
    assert outbox.unsent(epoch, 2).seq == 3


def test_an_older_epoch_goes_when_all_of_it_is_acknowledged(outbox: Outbox) -> None:
    first = outbox.epochs()[0].epoch
    put(outbox, 1)
    second = outbox.open_epoch(NOW + 1, RANDOM)
    assert [one.epoch for one in outbox.epochs()] == [second, first]
    outbox.forget(first, 1)
    assert outbox.epochs() == (Held(second, 1, 0),)
    assert outbox.held_bytes == 0
    outbox.forget(first, 1)  # an acknowledgement that came late


def test_a_frame_that_does_not_join_is_refused(path: Path) -> None:
    with outbox_at(path) as outbox:
        with pytest.raises(NoEpoch):
            put(outbox, 1)
        outbox.open_epoch(NOW, RANDOM)
        put(outbox, 1)
        with pytest.raises(NotJoined):
            put(outbox, 3)
        with pytest.raises(NotJoined):
            outbox.put([], NOW + 1000, NOW + 999, now=NOW)
        assert put(outbox, 2) == 2


def test_a_frame_that_intake_would_not_take_is_not_stored(outbox: Outbox) -> None:
    with pytest.raises(TooLarge):
        put(outbox, 1, count=100_001)
    with pytest.raises(TooLarge):
        outbox.put([["x" * 9 * 2**20, NOW, 1]], NOW, NOW + 1000, now=NOW)
    assert put(outbox, 1) == 1


def test_the_oldest_go_first_and_their_interval_is_told_as_lost(path: Path) -> None:
    with outbox_at(path, Bound(bytes=10_000)) as outbox:
        epoch = outbox.open_epoch(NOW, RANDOM)
        dropped = 0
        for second in range(1, 81):
            end = NOW + second * 1000
            told = outbox.put(rows(second, 10), end - 1000, end, now=end)
            dropped += sum(one.frames for one in told.dropped)
            assert outbox.held_bytes <= 10_000
        assert dropped > 40
        frames = [decode(outbox.unsent(epoch, seq - 1).body) for seq in range(1, 81)]
    assert [one.seq for one in frames] == list(range(1, 81))
    assert frames[0].rows, "it may have been on its way"
    stands_in = frames[1]
    assert stands_in.rows == []
    end = NOW + (1 + dropped) * 1000
    assert stands_in.lost == ((NOW + 1000, end),)
    assert (stands_in.complete_from, stands_in.complete_to) == (NOW + 1000, end)
    assert all(not (one.rows or one.lost) for one in frames[2 : 1 + dropped])
    assert all(one.rows for one in frames[1 + dropped :])


def test_what_a_dropped_frame_told_as_lost_stays_told(path: Path) -> None:
    with outbox_at(path, Bound(bytes=1)) as outbox:
        epoch = outbox.open_epoch(NOW, RANDOM)
        put(outbox, 1)
        outbox.put([], NOW + 1000, NOW + 2000, now=NOW, lost=[(NOW - 900, NOW - 500)])
        put(outbox, 3)
        stands_in = decode(outbox.unsent(epoch, 1).body)
    assert stands_in.lost == ((NOW - 900, NOW - 500), (NOW + 1000, NOW + 2000))


def test_a_frame_that_may_be_on_its_way_is_never_dropped(path: Path) -> None:
    with outbox_at(path, Bound(bytes=1)) as outbox:
        epoch = outbox.open_epoch(NOW, RANDOM)
        put(outbox, 1)
        put(outbox, 2)
        sent = [outbox.unsent(epoch, after) for after in (0, 1)]
    with outbox_at(path, Bound(bytes=1)) as outbox:
        for second in range(3, 9):
            put(outbox, second)
        assert [outbox.unsent(epoch, after) for after in (0, 1)] == sent
        assert decode(outbox.unsent(epoch, 2).body).lost


def test_a_stand_in_is_the_same_ever_after(path: Path) -> None:
    bound = Bound(bytes=1)
    with outbox_at(path, bound) as outbox:
        epoch = outbox.open_epoch(NOW, RANDOM)
        for second in range(1, 6):
            put(outbox, second)
        outbox.forget(epoch, 1)
        sent = outbox.unsent(epoch, 1)
    with outbox_at(path, bound) as outbox:
        for second in range(6, 9):
            put(outbox, second)
        assert outbox.unsent(epoch, 1) == sent
        rest = [decode(outbox.unsent(epoch, after).body) for after in range(2, 7)]
    told = merged([*decode(sent.body).lost, *(one for frame in rest for one in frame.lost)])
    assert told == ((NOW + 1000, NOW + 7000),)


def test_frames_grow_too_old_but_not_by_a_leap_of_the_clock(path: Path) -> None:
    with outbox_at(path, Bound(age_ms=150_000)) as outbox:
        outbox.open_epoch(NOW, RANDOM)
        for second, now in enumerate((NOW, NOW + 10**12, NOW + 10**12 + 60_000), start=1):
            told = outbox.put(rows(second), *_interval(second), now=now)
            assert told.dropped == ()
        told = outbox.put(rows(4), *_interval(4), now=NOW)  # a clock set back makes nobody young
        assert told.dropped == ()
        told = outbox.put(rows(5), *_interval(5), now=NOW + 60_000)
        told = outbox.put(rows(6), *_interval(6), now=NOW + 120_000)
        (dropped,) = told.dropped
        assert dropped.lost == ((NOW + 1000, NOW + 2000),)


def test_a_full_disk_is_an_error_and_nothing_is_half_done(outbox: Outbox) -> None:
    epoch = outbox.epochs()[0].epoch
    put(outbox, 1)
    (pages,) = outbox._file.execute("PRAGMA page_count").fetchone()
    outbox._file.execute(f"PRAGMA max_page_count = {pages + 2}")
    before = outbox.held_bytes
    with pytest.raises(OutboxUnavailable):
        put(outbox, 2, count=5_000)
    assert outbox.epochs() == (Held(epoch, 1, 1),)
    assert outbox.held_bytes == before
    outbox._file.execute("PRAGMA max_page_count = 1000000")
    assert put(outbox, 2, count=5_000) == 2, "the same again"


def test_nobody_else_opens_it_meanwhile(
    outbox: Outbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meltwatch.transport.outbox_file.BUSY_MS", 10)
    with pytest.raises(OutboxInUse):
        outbox_at(path)
    outbox.close()
    outbox_at(path).close()


def test_what_is_no_outbox_of_ours_is_not_touched(path: Path) -> None:
    with outbox_at(path):
        pass
    with pytest.raises(OutboxOfAnother):
        outbox_at(path, gateway=OTHER)
    made = sqlite3.connect(path)
    made.execute("PRAGMA user_version = 3")
    made.close()
    with pytest.raises(OutboxUnknownFormat) as unknown:
        outbox_at(path)
    assert unknown.value.found == 3
    path.write_bytes(b"no database at all, and long enough to look like one" * 100)
    with pytest.raises(OutboxDamaged):
        outbox_at(path)


def test_intervals_are_joined() -> None:
    assert merged([(5, 7), (1, 3), (3, 4), (6, 9), (8, 8)]) == ((1, 4), (5, 9))


def _interval(second: int) -> tuple[int, int]:
    return NOW + (second - 1) * 1000, NOW + second * 1000
