"""All epochs of a gateway: who goes first, what drains, and that nothing is lost on a bad line."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.model.ids import EpochId
from meltwatch.transport.errors import OutOfTurn
from meltwatch.transport.lane import (
    Accepted,
    Ask,
    Busy,
    Conflict,
    Event,
    Forget,
    Gap,
    LastSeq,
    Report,
    Send,
    Sleep,
    State,
    Stored,
    Turn,
    Unavailable,
    Woken,
)
from meltwatch.transport.session import Action, Drained, Session, handle, open_epoch

OLD, MID, NEW = (EpochId(f"00000000000{n}-0000000000000000") for n in (1, 2, 3))


def test_the_newest_epoch_goes_first_and_one_older_beside_it() -> None:
    session, done = tell(Session(), *((epoch, 1, 2) for epoch in (OLD, NEW, MID)))
    assert done == [Ask(OLD), Ask(NEW), Ask(MID)]
    session, done = tell(session, (OLD, LastSeq(0)), (MID, LastSeq(0)), (NEW, LastSeq(0)))
    assert done == [Send(OLD, 1), Send(NEW, 1)]  # MID waits: an older frame is in flight
    session, done = tell(session, (OLD, Accepted(1)))
    assert done == [Forget(OLD, 1), Send(MID, 1)]
    session, done = tell(session, (NEW, Accepted(1)))
    assert done == [Forget(NEW, 1), Send(NEW, 2)]
    session, done = tell(session, (NEW, Accepted(2)), (NEW, Stored(1, 3)))
    assert done == [Forget(NEW, 2), Send(NEW, 3)]
    session, done = tell(session, (MID, Accepted(1)), (MID, Accepted(2)))
    assert done == [Forget(MID, 1), Send(MID, 2), Forget(MID, 2), Drained(MID), Send(OLD, 2)]
    session, done = tell(session, (OLD, Accepted(2)))
    assert done == [Forget(OLD, 2), Drained(OLD)]
    assert [one.epoch for one in session.lanes] == [NEW]


def test_the_live_lane_stays_when_it_is_drained() -> None:
    session, done = tell(Session(), (NEW, 1, 0), (NEW, LastSeq(0)))
    assert done == [Ask(NEW)]
    assert session.lanes[0].is_drained
    session, done = tell(session, (NEW, Stored(1, 1)))
    assert done == [Send(NEW, 1)]


def test_opening_a_new_epoch_lets_go_of_the_drained_one_before() -> None:
    session, _ = tell(Session(), (OLD, 1, 0), (OLD, LastSeq(0)))
    session, done = tell(session, (NEW, 1, 0))
    assert done == [Ask(NEW), Drained(OLD)]


def test_a_live_lane_that_backs_off_or_stops_does_not_hold_the_older_ones_back() -> None:
    session, _ = tell(Session(), (OLD, 1, 2), (NEW, 1, 2), (NEW, LastSeq(0)), (OLD, LastSeq(0)))
    session, done = tell(session, (NEW, Conflict()), (OLD, Accepted(1)))
    assert done[-1] == Send(OLD, 2)
    assert session.lane(NEW) is not None  # its frames wait for a person
    _, done = tell(session, (OLD, Accepted(2)))
    assert done[-1] == Drained(OLD)


def test_an_epoch_is_opened_once_and_only_an_open_one_is_told() -> None:
    session, _ = tell(Session(), (NEW, 1, 1))
    with pytest.raises(OutOfTurn):
        open_epoch(session, NEW)
    with pytest.raises(OutOfTurn):
        handle(session, OLD, Woken())
    with pytest.raises(OutOfTurn):
        handle(session, NEW, Turn())
    with pytest.raises(OutOfTurn):
        handle(session, NEW, Accepted(1))
    assert session.lanes[0].state is State.ASKING


class Server:
    """A ledger of numbers behind a line that loses requests and answers."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.stored: dict[EpochId, int] = {}
        self.most_at_once = 0

    def ask(self, epoch: EpochId) -> Event:
        if self.chance.random() < 0.3:
            return Unavailable("timeout")
        return LastSeq(self.stored.get(epoch, 0))

    def take(self, epoch: EpochId, seq: int) -> Event:
        what = self.chance.random()
        if what < 0.2:
            return Unavailable("request lost")
        if what < 0.3:
            return Busy(20)
        last = self.stored.get(epoch, 0)
        if seq > last + 1:
            return Gap(last + 1)
        self.stored[epoch] = max(last, seq)
        return Unavailable("answer lost") if what < 0.5 else Accepted(self.stored[epoch])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 2**32))
def test_on_a_bad_line_every_frame_arrives_once_and_in_order(sizes: list[int], seed: int) -> None:
    chance = random.Random(seed)
    server = Server(chance)
    session, todo = Session(), list[Action]()
    epochs = [EpochId(f"{place:012x}-0000000000000000") for place in range(len(sizes))]
    for epoch, size in zip(epochs, sizes, strict=True):
        session, actions = open_epoch(session, epoch, 1, size)
        todo.extend(actions)
    for _ in range(5_000):
        if not todo:
            break
        session, actions = _done(session, todo.pop(chance.randrange(len(todo))), server)
        todo.extend(actions)
        older = [one for one in session.lanes[1:] if one.state is State.WAITING]
        assert len(older) <= 1
    assert not todo
    assert [server.stored.get(epoch, 0) for epoch in epochs] == sizes
    assert [one.epoch for one in session.lanes] == epochs[-1:]


def _done(session: Session, action: Action, server: Server) -> tuple[Session, tuple[Action, ...]]:
    match action:
        case Ask(epoch=epoch):
            return handle(session, epoch, server.ask(epoch))
        case Send(epoch=epoch, seq=seq):
            return handle(session, epoch, server.take(epoch, seq), server.chance.random())
        case Sleep(epoch=epoch):
            return handle(session, epoch, Woken())
        case Forget(epoch=epoch, through=through):
            assert server.stored[epoch] >= through, "forgotten before it was durable"
        case Report(key=key):
            assert key in {"session.unavailable", "session.recovered"}
    return session, ()


def test_a_session_is_plain_data() -> None:
    session, _ = tell(Session(), (OLD, 1, 2), (NEW, 1, 2), (NEW, LastSeq(0)))
    assert msgspec.json.decode(msgspec.json.encode(session), type=Session) == session


def tell(
    session: Session, *told: tuple[EpochId, Event] | tuple[EpochId, int, int]
) -> tuple[Session, list[Action]]:
    """Open epochs (epoch, first, through) and tell events; return all that was done."""
    done: list[Action] = []
    for one in told:
        match one:
            case (epoch, int(first), int(through)):
                session, actions = open_epoch(session, epoch, first, through)
            case (epoch, event):
                session, actions = handle(session, epoch, event)
        done.extend(actions)
    return session, done
