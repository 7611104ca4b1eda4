"""What every home promises about deeds: written with their commit or not at all, in one chain."""

from __future__ import annotations

import threading

import pytest

from meltwatch.audit.chain import Deed, Head, Row, head_after, wrong_with
from meltwatch.ledger.errors import Fenced, OutOfOrder
from meltwatch.ledger.port import AuditTrail, Partition
from tests.audit.telling import deed
from tests.ledger.telling import PLANT, Place

BEGIN = Head("core")


def owner(place: Place, name: str = PLANT) -> Partition:
    """Return a partition that is owned."""
    partition = place.home.partition(name)
    partition.acquire()
    return partition


def everything(trail: AuditTrail) -> list[Row]:
    """Read the chain in small steps."""
    found: list[Row] = []
    while step := trail.audit(found[-1].number if found else 0, 2):
        found += step
    return found


def people(trail: AuditTrail) -> list[str]:
    """Return who did the deeds of the chain, which must be sound."""
    rows = everything(trail)
    assert wrong_with(rows, BEGIN, trail.audit_head()) == []
    return [row.deed.who for row in rows]


def test_a_home_in_which_nobody_did_anything(place: Place) -> None:
    owner(place).commit(1, [b"raised"])
    assert (place.home.audit_head(), place.home.audit(0, 9)) == (BEGIN, [])
    assert place.home.partition(PLANT).deeds_at(1) == []


def test_a_deed_stands_with_its_commit(place: Place) -> None:
    core = owner(place)
    told = deed(why="误报", params={"limit": 60.5}, other=Head("web", 7, bytes(32)))
    assert core.commit(3, [b"acknowledged"], [told])
    (row,) = place.home.audit(0, 9)
    assert (row.chain, row.number, row.deed) == ("core", 1, told)
    assert core.deeds_at(3) == [row]
    assert place.home.audit_head() == head_after(row)
    assert [effect.data for effect in core.effects(0, 9)] == [b"acknowledged"]


def test_deeds_stand_in_the_order_of_their_commits(place: Place) -> None:
    core = owner(place)
    core.commit(1, [], [deed("li"), deed("wang")])
    core.commit(2, [b"raised"])
    core.commit(5, [], [deed("zhao")])
    assert people(place.home) == ["li", "wang", "zhao"]
    assert [[row.number for row in core.deeds_at(pos)] for pos in (1, 2, 5)] == [[1, 2], [], [3]]


def test_rows_are_read_behind_a_number_and_up_to_a_limit(place: Place) -> None:
    owner(place).commit(1, [], [deed(who) for who in ("li", "wang", "zhao")])
    assert [row.number for row in place.home.audit(1, 1)] == [2]
    assert [row.number for row in place.home.audit(2, 9)] == [3]
    assert place.home.audit(3, 9) == place.home.audit(0, 0) == place.home.audit(0, -1) == []


def test_the_partitions_of_a_home_share_one_chain(place: Place) -> None:
    one, two = owner(place, "one"), owner(place, "two")
    one.commit(4, [], [deed("li")])
    two.commit(4, [], [deed("wang")])
    one.commit(6, [], [deed("zhao")])
    assert people(place.home) == ["li", "wang", "zhao"]
    assert [row.deed.who for row in one.deeds_at(4)] == ["li"]
    assert [row.deed.who for row in two.deeds_at(4)] == ["wang"]


def test_owners_that_commit_at_once_make_one_sound_chain(place: Place) -> None:
    def commit(name: str, core: Partition) -> None:
        for pos in range(1, 21):
            core.commit(pos, [], [deed(name)])

    owners = {name: owner(place, name) for name in ("one", "two", "three")}
    threads = [threading.Thread(target=commit, args=told) for told in owners.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(people(place.home)) == sorted(["one", "two", "three"] * 20)


def test_the_same_commit_again_writes_no_second_row(place: Place) -> None:
    core = owner(place)
    assert core.commit(2, [b"a"], [deed("li")])
    head = place.home.audit_head()
    assert core.commit(2, [b"a"], [deed("li")]) is False
    assert place.home.audit_head() == head
    assert people(place.home) == ["li"]


@pytest.mark.parametrize(
    ("effects", "deeds"),
    [
        ([b"a"], [deed("wang")]),
        ([b"a"], [deed("li"), deed("li")]),
        ([b"a"], []),
        ([], [deed("li")]),
    ],
)
def test_a_position_that_repeats_with_other_deeds_is_a_bug(
    place: Place, effects: list[bytes], deeds: list[Deed]
) -> None:
    core = owner(place)
    core.commit(2, [b"a"], [deed("li")])
    with pytest.raises(OutOfOrder):
        core.commit(2, effects, deeds)
    assert people(place.home) == ["li"]


def test_a_commit_that_goes_back_leaves_no_row(place: Place) -> None:
    core = owner(place)
    core.commit(5, [])
    with pytest.raises(OutOfOrder):
        core.commit(4, [b"late"], [deed("li")])
    assert people(place.home) == []


def test_a_deed_that_cannot_be_written_leaves_nothing_of_its_commit(place: Place) -> None:
    core = owner(place)
    core.commit(1, [], [deed("li")])
    with pytest.raises(OverflowError):
        core.commit(2, [b"raised"], [deed("wang"), deed("zhao", params={"limit": 2**70})])
    assert people(place.home) == ["li"]
    assert core.effects(0, 9) == []
    assert place.home.partition(PLANT).acquire().committed == 1


def test_a_zombie_leaves_no_row(place: Place) -> None:
    zombie, heir = owner(place), owner(place)
    with pytest.raises(Fenced):
        zombie.commit(1, [], [deed("ghost")])
    with pytest.raises(Fenced):
        place.home.partition(PLANT).commit(1, [], [deed("nobody")])
    heir.commit(1, [], [deed("li")])
    assert people(place.home) == ["li"]
    assert [row.deed.who for row in zombie.deeds_at(1)] == ["li"]


def test_the_chain_goes_on_after_a_restart(place: Place) -> None:
    owner(place).commit(1, [], [deed("li")])
    head = place.home.audit_head()
    place.reopen()
    assert place.home.audit_head() == head
    owner(place).commit(2, [], [deed("wang")])
    assert place.home.audit(1, 9)[0].previous == head.hash
    assert people(place.reopen()) == ["li", "wang"]


def test_rows_stay_when_effects_are_released(place: Place) -> None:
    core = owner(place)
    core.commit(1, [b"a"], [deed("li")])
    core.release_effects(core.effects(0, 9)[-1].id)
    assert people(place.home) == ["li"]
