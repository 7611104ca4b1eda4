"""All epochs of one gateway at their source: newest first, one frame in flight for each epoch.

The newest epoch is the live lane and is never held back. Older ones drain beside it, the newest
of them first, one frame in flight among them all, so that back-fill takes a share of the line and
not the line. Pure like `lane.py`: a driver feeds events and does the actions that come out.
"""

from __future__ import annotations

import msgspec

from meltwatch.model.ids import EpochId
from meltwatch.transport import lane as lanes
from meltwatch.transport.errors import OutOfTurn
from meltwatch.transport.lane import Event, Lane, Pace, State, Turn


class Drained(msgspec.Struct, frozen=True):
    """The server has all of an older epoch: its outbox may be closed; the lane is gone."""

    epoch: EpochId


Action = lanes.Action | Drained


class Session(msgspec.Struct, frozen=True):
    """The lanes of a gateway's epochs, newest first."""

    lanes: tuple[Lane, ...] = ()
    pace: Pace = Pace()

    def lane(self, epoch: EpochId) -> Lane | None:
        """Return the lane of an epoch; None when it was never opened or has drained."""
        return next((one for one in self.lanes if one.epoch == epoch), None)


Stepped = tuple[Session, tuple[Action, ...]]


def open_epoch(session: Session, epoch: EpochId, first: int = 1, through: int = 0) -> Stepped:
    """Take up an epoch whose frames `first` to `through` the outbox holds; none by default.

    Raises OutOfTurn when it is open already.
    """
    known = session.lane(epoch)
    if known is not None:
        raise OutOfTurn(epoch, known.state.value, "open")
    lane, asked = lanes.opened(epoch, first, through, session.pace)
    ordered = sorted((*session.lanes, lane), key=lambda one: one.epoch, reverse=True)
    after, actions = _settled(msgspec.structs.replace(session, lanes=tuple(ordered)))
    return after, (*asked, *actions)


def let_go(session: Session, epoch: EpochId) -> Stepped:
    """Drop the lane of an epoch that goes on under another name; nothing of it is in flight."""
    rest = tuple(one for one in session.lanes if one.epoch != epoch)
    return _settled(msgspec.structs.replace(session, lanes=rest))


def handle(session: Session, epoch: EpochId, event: Event, jitter: float = 0.0) -> Stepped:
    """Return the session after an event of one epoch, and what to do, in this order.

    `jitter` in [0, 1). Raises OutOfTurn for an epoch that is not open or an event that its state
    does not have; turns are given here, so the driver never sends `Turn`.
    """
    lane = session.lane(epoch)
    if lane is None or isinstance(event, Turn):
        state = "not open" if lane is None else lane.state.value
        raise OutOfTurn(epoch, state, type(event).__name__)
    stepped, learnt = lanes.step(lane, event, jitter)
    after, actions = _settled(_with(session, stepped))
    return after, (*learnt, *actions)


def _settled(session: Session) -> Stepped:
    """Let go of older epochs that have drained, then give the turns that are free."""
    drained = [one.epoch for one in session.lanes[1:] if one.is_drained]
    session = msgspec.structs.replace(
        session, lanes=tuple(one for one in session.lanes if one.epoch not in drained)
    )
    actions: list[Action] = [Drained(epoch) for epoch in drained]
    for lane in _next(session):
        sent, told = lanes.step(lane, Turn(), 0.0)
        session = _with(session, sent)
        actions.extend(told)
    return session, tuple(actions)


def _next(session: Session) -> list[Lane]:
    """Return the lanes whose turn it is: the live one, and one older if none of them waits."""
    live, older = session.lanes[:1], session.lanes[1:]
    free = not any(one.state is State.WAITING for one in older)
    backfill = [one for one in older if one.wants_turn][:1] if free else []
    return [*(one for one in live if one.wants_turn), *backfill]


def _with(session: Session, lane: Lane) -> Session:
    changed = tuple(lane if one.epoch == lane.epoch else one for one in session.lanes)
    return msgspec.structs.replace(session, lanes=changed)
