"""Turns of gateways: nobody starves, live before back-fill, and whoever floods is refused alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meltwatch.apps.turns import Fill, Room, Turns
from meltwatch.model.ids import SourceId

ONE, TWO, THREE = SourceId("gw-1"), SourceId("gw-2"), SourceId("gw-3")


def put(turns: Turns[str], *told: str) -> None:
    """Let frames wait, told as gateway, `+` for live or `-` for back-fill, and a name."""
    for one in told:
        turns.put(SourceId(f"gw-{one[0]}"), one, 10, live=one[1] == "+")


def test_gateways_take_turns_and_a_flood_of_one_holds_nobody_up() -> None:
    turns: Turns[str] = Turns()
    put(turns, *(f"1+{n}" for n in range(9)), "2+a", "2+b", "3+x")
    assert turns.take(6) == ["1+0", "2+a", "3+x", "1+1", "2+b", "1+2"]
    put(turns, "3+y")
    assert turns.take(3) == ["1+3", "3+y", "1+4"]
    assert turns.take(99) == ["1+5", "1+6", "1+7", "1+8"]
    assert (len(turns), turns.fill, turns.take(1)) == (0, Fill(0, 0), [])


def test_live_frames_go_first_and_back_fill_never_stands() -> None:
    turns: Turns[str] = Turns()
    put(turns, "1-a", "1-b", "2-a", *(f"2+{n}" for n in range(8)), "1+0")
    assert turns.take(4) == ["2+0", "1+0", "2+1", "1-a"]
    assert turns.take(4) == ["2+2", "2+3", "2+4", "2-a"]
    assert turns.take(99) == ["2+5", "2+6", "2+7", "1-b"]
    put(turns, "1+9", "1-9")
    assert turns.take(1) == ["1-9"], "a single place is left for what would stand"
    assert turns.take(1) == ["1+9"]


def test_room_is_bounded_by_frames_and_by_bytes_of_one_and_of_all() -> None:
    room = Room(frames=4, bytes=100, frames_of_one=3, bytes_of_one=60)
    turns: Turns[str] = Turns(room)
    put(turns, "1+a", "1+b")
    assert turns.has_room(ONE, 40)
    assert not turns.has_room(ONE, 41), "bytes of one"
    put(turns, "1+c")
    assert not turns.has_room(ONE, 1), "frames of one"
    assert turns.has_room(TWO, 60)
    put(turns, "2+a")
    assert not turns.has_room(TWO, 1), "frames of all"
    assert turns.has_room(THREE, 160), "nothing of it waits: it is let in"
    assert not turns.has_room(THREE, 161), "but not for ever"


@given(
    st.lists(st.tuples(st.sampled_from("123"), st.sampled_from("+-")), max_size=60),
    st.integers(1, 9),
)
def test_everything_comes_out_once_and_in_its_order(told: list[tuple[str, str]], most: int) -> None:
    turns: Turns[str] = Turns()
    names = [f"{gateway}{kind}{n:02}" for n, (gateway, kind) in enumerate(told)]
    put(turns, *names)
    taken: list[str] = []
    while group := turns.take(most):
        assert len(group) <= most
        taken += group
    assert sorted(taken) == sorted(names)
    for part in ("1+", "1-", "2+", "2-", "3+", "3-"):
        mine = [one for one in taken if one.startswith(part)]
        assert mine == sorted(mine)
