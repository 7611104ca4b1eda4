"""One epoch at its source: every state with every event, and whole conversations."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from meltwatch.model.ids import EpochId
from meltwatch.transport.errors import OutOfTurn
from meltwatch.transport.lane import (
    EVENTS,
    TABLE,
    Accepted,
    Action,
    Ask,
    Busy,
    Conflict,
    Event,
    Forget,
    Gap,
    Lane,
    LastSeq,
    Pace,
    Rejected,
    Report,
    Send,
    Sleep,
    State,
    Stored,
    Turn,
    Unavailable,
    Verdict,
    Woken,
    opened,
    step,
)

E = EpochId("0198628c0400-00112233445566aa")
S = State
ASLEEP = Sleep(E, 250)  # half of the first 500 ms: no jitter
LONG = Sleep(E, 15_000)


def lane(state: State) -> Lane:
    """The outbox holds 3 to 9, the server has 5: the next to send is 6."""
    return Lane(epoch=E, state=state, first=3, through=9, acked=5)


def lost(told: int) -> dict[str, int | str | float]:
    return {"told": told, "first": 3, "through": 9}


# For each state: the event, the state after it, the last number acknowledged, what is done.
Row = tuple[State, Event, State, int, tuple[Action, ...]]
OFF = Report(E, "session.unavailable", {"reason": "timeout"})
NO = Report(E, "session.refused", {"reason": "frame.key_unknown"})
NEVER = Report(E, "session.refused", {"reason": "frame.field_type"})
EXPECTED: list[Row] = [
    (S.ASKING, LastSeq(7), S.READY, 7, (Forget(E, 7),)),
    (S.ASKING, LastSeq(9), S.READY, 9, (Forget(E, 9),)),
    (S.ASKING, LastSeq(2), S.READY, 2, ()),
    (S.ASKING, LastSeq(1), S.STOPPED, 5, (Report(E, "session.server_behind", lost(1)),)),
    (S.ASKING, LastSeq(10), S.STOPPED, 5, (Report(E, "session.server_ahead", lost(10)),)),
    (S.ASKING, Unavailable("timeout"), S.ASK_AGAIN, 5, (OFF, ASLEEP)),
    (S.ASKING, Busy(1_700), S.ASK_AGAIN, 5, (Sleep(E, 1_700),)),
    (S.ASKING, Rejected("frame.key_unknown", True), S.ASK_AGAIN, 5, (NO, LONG)),
    (S.ASKING, Rejected("frame.field_type", False), S.STOPPED, 5, (NEVER,)),
    (S.ASK_AGAIN, Woken(), S.ASKING, 5, (Ask(E),)),
    (S.READY, Turn(), S.WAITING, 5, (Send(E, 6),)),
    (S.WAITING, Accepted(6), S.READY, 6, (Forget(E, 6),)),
    (S.WAITING, Accepted(9), S.READY, 9, (Forget(E, 9),)),
    (
        S.WAITING,
        Accepted(5),
        S.SEND_AGAIN,
        5,
        (Report(E, "session.answer_stalls", {"told": 5, "sent": 6}), ASLEEP),
    ),
    (S.WAITING, Accepted(10), S.STOPPED, 5, (Report(E, "session.server_ahead", lost(10)),)),
    (S.WAITING, Gap(4), S.READY, 3, ()),
    (S.WAITING, Gap(3), S.READY, 2, ()),
    (S.WAITING, Gap(9), S.READY, 8, ()),
    (S.WAITING, Gap(10), S.READY, 9, ()),
    (
        S.WAITING,
        Gap(6),
        S.SEND_AGAIN,
        5,
        (Report(E, "session.answer_stalls", {"told": 5, "sent": 6}), ASLEEP),
    ),
    (S.WAITING, Gap(2), S.STOPPED, 5, (Report(E, "session.server_behind", lost(1)),)),
    (S.WAITING, Gap(11), S.STOPPED, 5, (Report(E, "session.server_ahead", lost(10)),)),
    (S.WAITING, Conflict(), S.STOPPED, 5, (Report(E, "session.conflict", {"seq": 6}),)),
    (S.WAITING, Unavailable("timeout"), S.SEND_AGAIN, 5, (OFF, ASLEEP)),
    (S.WAITING, Busy(0), S.SEND_AGAIN, 5, (Sleep(E, 0),)),
    (S.WAITING, Rejected("frame.key_unknown", True), S.SEND_AGAIN, 5, (NO, LONG)),
    (S.WAITING, Rejected("frame.field_type", False), S.STOPPED, 5, (NEVER,)),
    (S.SEND_AGAIN, Woken(), S.READY, 5, ()),
    *((state, Stored(3, 12), state, 5, ()) for state in State),
]
ANY: tuple[Event, ...] = (
    Stored(3, 12),
    Turn(),
    LastSeq(6),
    Accepted(6),
    Gap(4),
    Conflict(),
    Unavailable("timeout"),
    Busy(1),
    Rejected("x", True),
    Woken(),
)


@pytest.mark.parametrize(("state", "event", "after", "acked", "actions"), EXPECTED)
def test_what_an_event_does(
    state: State, event: Event, after: State, acked: int, actions: tuple[Action, ...]
) -> None:
    stepped, done = step(lane(state), event, 0.0)
    assert (stepped.state, stepped.acked) == (after, acked)
    assert done == actions


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, ANY)))
def test_every_pair_of_state_and_event_is_expected_or_out_of_turn(
    state: State, event: Event
) -> None:
    if any((row[0], type(row[1])) == (state, type(event)) for row in EXPECTED):
        step(lane(state), event, 0.0)
        return
    with pytest.raises(OutOfTurn) as refused:
        step(lane(state), event, 0.0)
    told = refused.value
    assert (told.epoch, told.state, told.event) == (E, state.value, type(event).__name__)


def test_the_tables_here_and_there_have_the_same_pairs_and_ends() -> None:
    assert {type(event) for event in ANY} == set(EVENTS)
    assert {(row[0], type(row[1])) for row in EXPECTED} == set(TABLE)
    for pair, ends in TABLE.items():
        told = {row[2] for row in EXPECTED if (row[0], type(row[1])) == pair}
        assert told <= set(ends.values())


def test_every_state_but_stopped_can_be_left_and_every_one_reached() -> None:
    ends = {(pair[0], end) for pair, all_ends in TABLE.items() for end in all_ends.values()}
    assert {end for _, end in ends} == set(State)
    assert {start for start, end in ends if start is not end} == set(State) - {S.STOPPED}


def test_a_turn_without_a_frame_is_out_of_turn() -> None:
    idle = msgspec.structs.replace(lane(S.READY), acked=9)
    assert not idle.wants_turn
    assert idle.is_drained
    with pytest.raises(OutOfTurn):
        step(idle, Turn(), 0.0)


def test_a_lane_whose_next_frame_the_outbox_dropped_stops_and_says_so() -> None:
    waiting, _ = step(lane(S.READY), Stored(8, 12), 0.0)
    stopped, done = step(waiting, Turn(), 0.0)
    assert stopped.state is S.STOPPED
    assert done == (Report(E, "session.server_behind", {"told": 5, "first": 8, "through": 12}),)
    assert Verdict.BEHIND in TABLE[S.READY, Turn]


def test_a_conversation_the_line_breaks_and_the_same_number_goes_again() -> None:
    told, asked = opened(E, 1, 2, Pace())
    assert asked == (Ask(E),)
    told, done = run(told, LastSeq(0), Turn())
    assert done == [Send(E, 1)]
    told, done = run(told, Unavailable("timeout"), Woken(), Turn())
    assert done == [OFF, ASLEEP, Send(E, 1)]
    told, done = run(told, Unavailable("timeout"), Woken(), Turn())
    assert done == [Sleep(E, 500), Send(E, 1)]  # told once, waited longer
    told, done = run(told, Accepted(1), Turn())
    assert done == [Report(E, "session.recovered"), Forget(E, 1), Send(E, 2)]
    assert told.failures == 0


def test_a_conversation_the_server_was_restored_and_wants_old_frames() -> None:
    _, done = run(lane(S.WAITING), Gap(4), Turn(), Accepted(4), Turn())
    assert done == [Send(E, 4), Forget(E, 4), Send(E, 5)]


def test_gaps_in_a_row_do_not_spin() -> None:
    told, done = run(lane(S.WAITING), Gap(4), Turn(), Gap(6))
    assert told.state is S.SEND_AGAIN
    assert done[-1] == ASLEEP
    told, done = run(told, Woken(), Turn(), Gap(4))
    assert done == [Send(E, 6), Sleep(E, 500)]


def test_a_refusal_is_told_once_and_again_when_its_reason_changes() -> None:
    unknown, wrong = Rejected("frame.key_unknown", True), Rejected("frame.signature_wrong", True)
    _, done = run(lane(S.WAITING), unknown, Woken(), Turn(), unknown, Woken(), Turn(), wrong)
    told = [one.params["reason"] for one in done if isinstance(one, Report)]
    assert told == ["frame.key_unknown", "frame.signature_wrong"]


@pytest.mark.parametrize(
    ("failures", "jitter", "wait_ms"),
    [
        (1, 0.0, 250),
        (1, 0.999, 500),
        (2, 0.0, 500),
        (4, 0.5, 3_000),
        (7, 0.0, 15_000),
        (7, 0.999, 29_985),
        (5_000, 0.0, 15_000),
    ],
)
def test_the_wait_doubles_up_to_a_bound_and_a_half_is_jitter(
    failures: int, jitter: float, wait_ms: int
) -> None:
    before = msgspec.structs.replace(lane(S.WAITING), failures=failures - 1)
    _, done = step(before, Unavailable("timeout"), jitter)
    assert done[-1] == Sleep(E, wait_ms)


def run(told: Lane, *events: Event) -> tuple[Lane, list[Action]]:
    """Return the lane after the events, and all that was done."""
    done: list[Action] = []
    for event in events:
        told, actions = step(told, event, 0.0)
        done.extend(actions)
    return told, done
