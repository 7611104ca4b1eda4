"""What waits for a frame: rows in their order, an interval that is completed by the last frame."""

from __future__ import annotations

from typing import NamedTuple

from meltwatch.model.ids import PointCode
from meltwatch.model.log import Interval
from meltwatch.model.sample import Row
from meltwatch.transport.pending import Cut, Pending


class Batch(NamedTuple):
    rows: tuple[Row, ...]
    complete_from: int
    complete_to: int
    gap: bool = False
    lost: tuple[Interval, ...] = ()


def rows(*instants: int) -> tuple[Row, ...]:
    return tuple((PointCode("u/p"), at, 1.0, 0) for at in instants)


def test_batches_that_join_become_one_frame() -> None:
    pending = Pending(100)
    assert pending.is_empty
    first = Batch(rows(1, 2), 0, 10, gap=True)
    assert pending.joins(first), "nothing came before it"
    pending.take(first)
    second = Batch((), 10, 20, lost=((12, 15),))
    assert pending.joins(second)
    pending.take(second)
    assert not pending.joins(Batch((), 21, 30))
    assert not pending.joins(Batch((), 20, 30, gap=True))
    assert pending.cut(100) == Cut([*rows(1, 2)], 0, 20, ((12, 15),))
    assert pending.is_empty
    assert pending.joins(Batch((), 20, 30))


def test_only_the_last_of_several_frames_completes() -> None:
    pending = Pending(100)
    pending.take(Batch(rows(1, 2, 3), 0, 10, lost=((4, 5),)))
    assert pending.cut(2) == Cut([*rows(1, 2)], 0, 0, ())
    assert pending.cut(2) == Cut([*rows(3)], 0, 10, ((4, 5),))


def test_what_was_not_stored_comes_back_before_what_has_come_since() -> None:
    pending = Pending(100)
    pending.take(Batch(rows(1), 0, 10, lost=((0, 1),)))
    cut = pending.cut(100)
    pending.take(Batch(rows(11), 10, 20))
    pending.put_back(cut)
    assert pending.cut(100) == Cut([*rows(1, 11)], 0, 20, ((0, 1),))


class Late(NamedTuple):
    """A batch of rows whose `at` stands in for the source's own time."""

    rows: tuple[Row, ...]
    complete_from: int
    complete_to: int
    originals: dict[int, int]
    gap: bool = False
    lost: tuple[Interval, ...] = ()


def test_the_sources_own_times_stay_with_their_rows() -> None:
    pending = Pending(100)
    pending.take(Batch(rows(1), 0, 10))
    pending.take(Late(rows(11, 12, 13), 10, 20, {0: 7, 2: 8}))
    first = pending.cut(2)
    assert first.originals == {1: 7}
    pending.take(Late(rows(21), 20, 30, {0: 9}))
    pending.put_back(first)
    assert pending.cut(100).originals == {1: 7, 3: 8, 4: 9}
    pending.take(Batch(rows(31), 30, 40))
    assert pending.cut(100).originals == {}


def test_too_many_rows_are_lost_and_told_so() -> None:
    pending = Pending(3)
    assert pending.take(Batch(rows(1, 2), 0, 10)) == 0
    assert pending.take(Batch(rows(11, 12), 10, 20)) == 4
    assert pending.cut(100) == Cut([], 0, 20, ((0, 20),))
