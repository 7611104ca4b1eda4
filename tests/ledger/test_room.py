"""The room of a disk: what is refused when, and the reserve that is given up and made anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meltwatch.ledger.errors import Unavailable
from meltwatch.ledger.room import MIB, Bounds, Room, bounds_of


def free(directory: Path) -> int:
    told = os.statvfs(directory)
    return told.f_bavail * told.f_frsize


def room(directory: Path, floor: int, reserve: int = 0) -> Room:
    return Room(directory, Bounds(floor_bytes=floor, reserve_bytes=reserve))


def test_a_floor_above_what_is_free_takes_nothing(tmp_path: Path) -> None:
    assert room(tmp_path, 0).takes()
    assert not room(tmp_path, free(tmp_path) + 64 * MIB).takes()


def test_what_is_coming_counts_as_written(tmp_path: Path) -> None:
    asked = room(tmp_path, 1)
    assert asked.takes()
    assert not asked.takes(free(tmp_path) + 64 * MIB)


def test_the_reserve_takes_room_really(tmp_path: Path) -> None:
    asked = room(tmp_path, 0, MIB)
    assert not asked.reserved
    asked.look()
    assert asked.reserved
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= MIB


def test_the_reserve_is_given_up_when_less_than_half_of_it_is_free(tmp_path: Path) -> None:
    room(tmp_path, 0, MIB).look()
    greedy = room(tmp_path, 0, 4 * free(tmp_path))
    assert greedy.reserved
    greedy.look()
    assert not greedy.reserved
    greedy.look()
    assert not greedy.reserved, "there is no room for it"


def test_our_defaults_go_by_the_disk(tmp_path: Path) -> None:
    told = bounds_of(tmp_path)
    assert 0 < told.reserve_bytes <= 64 * MIB
    assert told.reserve_bytes < told.floor_bytes <= 256 * MIB
    asked = bounds_of(tmp_path, 5, 0)
    assert (asked.floor_bytes, asked.reserve_bytes) == (5, 0)


def test_a_disk_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        room(tmp_path / "nothing", 0).takes()
