"""What every home promises about owners, positions, effects and checkpoints."""

from __future__ import annotations

import pytest

from meltwatch.ledger.errors import Fenced, OutOfOrder
from meltwatch.ledger.port import Partition
from tests.ledger.telling import PLANT, Place


def data(partition: Partition) -> list[bytes]:
    """Return all effects of a partition in order."""
    return [effect.data for effect in partition.effects(0, 1_000)]


def test_the_first_owner_starts_from_nothing(place: Place) -> None:
    owned = place.home.partition(PLANT).acquire()
    assert (owned.fence, owned.committed, owned.checkpoint, owned.state) == (1, 0, 0, None)
    assert owned.damaged == ()


def test_position_and_effects_are_there_for_the_next_owner(place: Place) -> None:
    owner = place.home.partition(PLANT)
    owner.acquire()
    assert owner.commit(3, [b"raised", b"horn"])
    assert owner.commit(5, [])
    heir = place.reopen().partition(PLANT)
    owned = heir.acquire()
    assert (owned.fence, owned.committed) == (2, 5)
    first, second = heir.effects(0, 10)
    assert (first.data, first.pos, second.data) == (b"raised", 3, b"horn")
    assert first.id < second.id
    assert heir.effects(first.id, 10) == [second]
    assert heir.effects(0, 1) == [first]


def test_a_zombie_can_change_nothing(place: Place) -> None:
    zombie, heir = place.home.partition(PLANT), place.home.partition(PLANT)
    zombie.acquire()
    zombie.commit(1, [b"mine"])
    heir.acquire()
    with pytest.raises(Fenced) as fenced:
        zombie.commit(2, [b"ghost"])
    assert (fenced.value.held, fenced.value.current) == (1, 2)
    with pytest.raises(Fenced):
        zombie.checkpoint(1, b"ghost")
    with pytest.raises(Fenced):
        zombie.renew()
    heir.renew()
    assert heir.commit(2, [b"heir"])
    assert data(zombie) == [b"mine", b"heir"]
    assert place.home.partition(PLANT).acquire().state is None


def test_who_never_acquired_is_fenced(place: Place) -> None:
    with pytest.raises(Fenced):
        place.home.partition(PLANT).commit(1, [])
    with pytest.raises(Fenced):
        place.home.partition(PLANT).renew()


def test_a_fenced_owner_may_acquire_again(place: Place) -> None:
    first, second = place.home.partition(PLANT), place.home.partition(PLANT)
    first.acquire()
    second.acquire()
    second.commit(4, [])
    assert first.acquire().committed == 4
    assert first.commit(5, [])
    with pytest.raises(Fenced):
        second.commit(6, [])


def test_the_same_commit_again_is_no_op_and_any_other_is_a_bug(place: Place) -> None:
    owner = place.home.partition(PLANT)
    owner.acquire()
    owner.commit(2, [b"a", b"b"])
    assert owner.commit(2, [b"a", b"b"]) is False
    for pos, effects in [(2, [b"ab"]), (2, []), (1, [])]:
        with pytest.raises(OutOfOrder) as refused:
            owner.commit(pos, effects)
        assert (refused.value.committed, refused.value.asked) == (2, pos)
    assert data(owner) == [b"a", b"b"]


def test_partitions_do_not_touch_each_other(place: Place) -> None:
    one, two = place.home.partition("one"), place.home.partition("two")
    one.acquire()
    two.acquire()
    one.commit(9, [b"1"])
    two.commit(1, [b"2"])
    assert (data(one), data(two)) == ([b"1"], [b"2"])
    assert place.home.partition("two").acquire().committed == 1


def test_the_last_checkpoint_comes_back_and_the_former_bounds_retention(place: Place) -> None:
    owner = place.home.partition(PLANT)
    owner.acquire()
    assert owner.needed_after() == 0
    for pos in (2, 4, 6):
        owner.commit(pos, [])
        owner.checkpoint(pos, f"state at {pos}".encode())
        assert owner.needed_after() == pos - 2
    owner.commit(7, [])
    owned = place.reopen().partition(PLANT).acquire()
    assert (owned.committed, owned.checkpoint, owned.state) == (7, 6, b"state at 6")


def test_a_checkpoint_never_runs_ahead(place: Place) -> None:
    owner = place.home.partition(PLANT)
    owner.acquire()
    owner.commit(3, [])
    with pytest.raises(OutOfOrder):
        owner.checkpoint(4, b"future")
    owner.checkpoint(3, b"")
    assert place.home.partition(PLANT).acquire().state == b""


def test_released_effects_go_and_their_ids_do_not_come_back(place: Place) -> None:
    owner = place.home.partition(PLANT)
    owner.acquire()
    owner.commit(1, [b"a", b"b"])
    last = owner.effects(0, 10)[-1]
    owner.release_effects(last.id)
    assert data(owner) == []
    owner = place.reopen().partition(PLANT)
    owner.acquire()
    owner.commit(2, [b"c"])
    (effect,) = owner.effects(last.id, 10)
    assert effect.data == b"c"
