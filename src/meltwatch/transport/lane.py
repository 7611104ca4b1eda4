"""One epoch at its source: which frame may go next. Everything that affects it lives in this file.

A lane asks the server for the last number it has, then sends one frame at a time, the same bytes
until they are acknowledged. Events in, actions out; no I/O, no clock, no chance: waits and jitter
are figures. Transitions are data: a pair that `TABLE` does not have raises OutOfTurn and nothing
changes. `session.py` gives the lanes of a gateway their turns.
"""

from __future__ import annotations

from enum import Enum
from typing import get_args

import msgspec

from meltwatch.model.ids import EpochId
from meltwatch.model.reason import Params
from meltwatch.transport.errors import OutOfTurn


class State(Enum):
    """Where a lane stands. `_AGAIN`: backing off, to ask or to send the same once more."""

    ASKING = "asking"
    ASK_AGAIN = "ask_again"
    READY = "ready"
    WAITING = "waiting"
    SEND_AGAIN = "send_again"
    STOPPED = "stopped"


class Stored(msgspec.Struct, frozen=True):
    """The outbox now holds the frames `first` to `through`, both included.

    It drops only what it was told to forget: a lane whose next frame is gone stops at its turn.
    """

    first: int
    through: int


class Turn(msgspec.Struct, frozen=True):
    """The session lets this lane send its next frame."""


class LastSeq(msgspec.Struct, frozen=True):
    """The answer to asking: the last number that the server has of this epoch, 0 for none."""

    seq: int


class Accepted(msgspec.Struct, frozen=True):
    """The frame in flight is durable at the server, whose last number is `last_seq`."""

    last_seq: int


class Gap(msgspec.Struct, frozen=True):
    """The server has not the numbers before the frame in flight: it wants `expected`."""

    expected: int


class Conflict(msgspec.Struct, frozen=True):
    """The number in flight is taken by other bytes."""


class Unavailable(msgspec.Struct, frozen=True):
    """No answer, or none of ours: time ran out, the line broke, 5xx. The outcome is unknown."""

    reason: str


class Busy(msgspec.Struct, frozen=True):
    """The server asks to wait (429), ms."""

    after_ms: int


class Rejected(msgspec.Struct, frozen=True):
    """The server refused; `retry`: the same bytes may pass once a person or time has helped."""

    reason: str
    retry: bool


class Woken(msgspec.Struct, frozen=True):
    """The wait that `Sleep` asked for is over."""


Event = Stored | Turn | LastSeq | Accepted | Gap | Conflict | Unavailable | Busy | Rejected | Woken
EVENTS: tuple[type[Event], ...] = get_args(Event)


class Ask(msgspec.Struct, frozen=True):
    """Ask the server for the epoch's last number."""

    epoch: EpochId


class Send(msgspec.Struct, frozen=True):
    """Send the stored bytes of this number."""

    epoch: EpochId
    seq: int


class Sleep(msgspec.Struct, frozen=True):
    """Tell the lane `Woken` in so many ms."""

    epoch: EpochId
    for_ms: int


class Forget(msgspec.Struct, frozen=True):
    """The server has the frames up to and with `through`: the outbox may drop them."""

    epoch: EpochId
    through: int


class Report(msgspec.Struct, frozen=True):
    """Tell the operator, once when a trouble begins and once when it is over (`errors.py`)."""

    epoch: EpochId
    key: str
    params: Params = {}


Action = Ask | Send | Sleep | Forget | Report


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long to back off: doubled from `first_ms` up to `most_ms`, of which a half is jitter."""

    first_ms: int = 500
    most_ms: int = 30_000


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What a source knows of one epoch.

    `first` to `through`: the numbers that the outbox holds. `acked`: the last one that the server
    is known to have; the next to send follows it. `failures` in a row; `gapped`: the last answer
    was a gap. `trouble`: what was last reported and is not over.
    """

    epoch: EpochId
    state: State
    first: int
    through: int
    acked: int
    failures: int = 0
    gapped: bool = False
    trouble: str = ""
    pace: Pace = Pace()

    @property
    def is_drained(self) -> bool:
        """Tell whether the server is known to have all that the outbox holds."""
        return self.state is State.READY and self.acked >= self.through

    @property
    def wants_turn(self) -> bool:
        """Tell whether the lane has a frame that may go now."""
        return self.state is State.READY and self.acked < self.through


class Verdict(Enum):
    """What an event means to a lane, by its figures."""

    FITS = "fits"
    STALLS = "stalls"  # an answer that does not bring the lane on: wait before trying again
    AHEAD = "ahead"  # the server has numbers that the outbox never stored
    BEHIND = "behind"  # the server wants numbers that the outbox no longer holds


_S = State
_FITS, _STALLS, _AHEAD, _BEHIND = Verdict
_STOP = {_AHEAD: _S.STOPPED, _BEHIND: _S.STOPPED}

TABLE: dict[tuple[State, type[Event]], dict[Verdict, State]] = {
    **{(state, Stored): {_FITS: state} for state in State},
    (_S.ASKING, LastSeq): {_FITS: _S.READY, **_STOP},
    (_S.ASKING, Unavailable): {_FITS: _S.ASK_AGAIN},
    (_S.ASKING, Busy): {_FITS: _S.ASK_AGAIN},
    (_S.ASKING, Rejected): {_FITS: _S.STOPPED, _STALLS: _S.ASK_AGAIN},
    (_S.ASK_AGAIN, Woken): {_FITS: _S.ASKING},
    (_S.READY, Turn): {_FITS: _S.WAITING, _BEHIND: _S.STOPPED},
    (_S.WAITING, Accepted): {_FITS: _S.READY, _STALLS: _S.SEND_AGAIN, **_STOP},
    (_S.WAITING, Gap): {_FITS: _S.READY, _STALLS: _S.SEND_AGAIN, **_STOP},
    (_S.WAITING, Conflict): {_FITS: _S.STOPPED},
    (_S.WAITING, Unavailable): {_FITS: _S.SEND_AGAIN},
    (_S.WAITING, Busy): {_FITS: _S.SEND_AGAIN},
    (_S.WAITING, Rejected): {_FITS: _S.STOPPED, _STALLS: _S.SEND_AGAIN},
    (_S.SEND_AGAIN, Woken): {_FITS: _S.READY},
}


def opened(epoch: EpochId, first: int, through: int, pace: Pace) -> tuple[Lane, tuple[Action, ...]]:
    """Return the lane of an epoch whose frames `first` to `through` the outbox holds.

    `through = first - 1` when it holds none; a new epoch begins with `first` 1.
    """
    lane = Lane(
        epoch=epoch,
        state=State.ASKING,
        first=first,
        through=through,
        acked=first - 1,
        pace=pace,
    )
    return lane, (Ask(epoch),)


def step(lane: Lane, event: Event, jitter: float) -> tuple[Lane, tuple[Action, ...]]:
    """Return the lane after an event, and what to do.

    `jitter` in [0, 1) is drawn by the caller, so that a thousand gateways do not come back in
    one moment. Raises OutOfTurn.
    """
    try:
        ends = TABLE[lane.state, type(event)]
    except KeyError:
        raise OutOfTurn(lane.epoch, lane.state.value, type(event).__name__) from None
    if isinstance(event, Turn) and not lane.wants_turn:
        raise OutOfTurn(lane.epoch, lane.state.value, "Turn without a frame")
    verdict = _verdict(lane, event)
    after = msgspec.structs.replace(_figures(lane, event, verdict), state=ends[verdict])
    return _acting(lane, after, event, verdict, jitter)


def _verdict(lane: Lane, event: Event) -> Verdict:
    match event:
        case Rejected(retry=True):
            return Verdict.STALLS
        case Accepted(last_seq=last) if last <= lane.acked:
            return Verdict.STALLS
        case Gap(expected=expected):
            held = _holds(lane, expected - 1)
            stalls = held is Verdict.FITS and (lane.gapped or expected == lane.acked + 1)
            return Verdict.STALLS if stalls else held
        case Turn():
            return _holds(lane, lane.acked)
        case LastSeq(seq=last) | Accepted(last_seq=last):
            return _holds(lane, last)
        case _:
            return Verdict.FITS


def _holds(lane: Lane, last: int) -> Verdict:
    """Tell whether the lane can go on behind the server's last number."""
    if last > lane.through:
        return Verdict.AHEAD
    return Verdict.BEHIND if last < lane.first - 1 else Verdict.FITS


def _figures(lane: Lane, event: Event, verdict: Verdict) -> Lane:
    """Return the lane with its figures moved, its state not yet."""
    replace = msgspec.structs.replace
    match event:
        case Stored(first=first, through=through):
            return replace(lane, first=first, through=through)
        case LastSeq(seq=last) | Accepted(last_seq=last) if verdict is Verdict.FITS:
            return replace(lane, acked=last, failures=0, gapped=False)
        case Gap(expected=expected) if verdict in {Verdict.FITS, Verdict.STALLS}:
            failures = lane.failures + (verdict is Verdict.STALLS)
            return replace(lane, acked=expected - 1, failures=failures, gapped=True)
        case Unavailable() | Rejected() | Accepted():
            return replace(lane, failures=lane.failures + 1)
        case _:
            return lane


def _acting(
    before: Lane, lane: Lane, event: Event, verdict: Verdict, jitter: float
) -> tuple[Lane, tuple[Action, ...]]:
    """Return the lane and its actions: what was learnt first, then what the new state asks for."""
    actions: list[Action] = []
    trouble = _trouble(before, event, verdict)
    if trouble and (name := _name_of(trouble)) != lane.trouble:
        actions.append(Report(lane.epoch, *trouble))
        lane = msgspec.structs.replace(lane, trouble=name)
    elif lane.trouble and _brings_on(event, verdict):
        actions.append(Report(lane.epoch, "session.recovered"))
        lane = msgspec.structs.replace(lane, trouble="")
    if _brings_on(event, verdict) and lane.acked >= lane.first:
        actions.append(Forget(lane.epoch, lane.acked))
    if lane.state is not before.state:
        actions.extend(_entering(lane, event, jitter))
    return lane, tuple(actions)


def _brings_on(event: Event, verdict: Verdict) -> bool:
    return verdict is Verdict.FITS and isinstance(event, LastSeq | Accepted)


def _trouble(lane: Lane, event: Event, verdict: Verdict) -> tuple[str, Params] | None:
    """Return what to report of an event, if it is a trouble; waiting as told (429) is none."""
    told = _told(lane, event)
    held: Params = {"told": told, "first": lane.first, "through": lane.through}
    match event, verdict:
        case Unavailable(reason=reason), _:
            return "session.unavailable", {"reason": reason}
        case Rejected(reason=reason), _:
            return "session.refused", {"reason": reason}
        case Conflict(), _:
            return "session.conflict", {"seq": lane.acked + 1}
        case _, Verdict.AHEAD:
            return "session.server_ahead", held
        case _, Verdict.BEHIND:
            return "session.server_behind", held
        case _, Verdict.STALLS:
            return "session.answer_stalls", {"told": told, "sent": lane.acked + 1}
    return None


def _name_of(trouble: tuple[str, Params]) -> str:
    """Return what makes a trouble another one: a refusal for another reason is told anew."""
    key, params = trouble
    return f"{key} {params['reason']}" if key == "session.refused" else key


def _told(lane: Lane, event: Event) -> int:
    """Return the server's last number as an answer tells it, or as the lane last knew it."""
    match event:
        case LastSeq(seq=last) | Accepted(last_seq=last):
            return last
        case Gap(expected=expected):
            return expected - 1
    return lane.acked


def _entering(lane: Lane, event: Event, jitter: float) -> tuple[Action, ...]:
    match lane.state:
        case State.ASKING:
            return (Ask(lane.epoch),)
        case State.WAITING:
            return (Send(lane.epoch, lane.acked + 1),)
        case State.ASK_AGAIN | State.SEND_AGAIN:
            return (Sleep(lane.epoch, _wait_ms(lane, event, jitter)),)
    return ()


def _wait_ms(lane: Lane, event: Event, jitter: float) -> int:
    """Return how long to back off: as told (429), longest if a person must help, else doubled."""
    if isinstance(event, Busy):
        return max(event.after_ms, 0)
    longest_ms = lane.pace.most_ms
    if not isinstance(event, Rejected):
        longest_ms = min(longest_ms, lane.pace.first_ms * 2 ** min(lane.failures - 1, 32))
    return round(longest_ms * (0.5 + 0.5 * jitter))
