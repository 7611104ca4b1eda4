"""What the server says back to a source, as documents, and what a source reads out of them.

Written at the server's edge, read at the gateway's: both sides of one format stand here
(`docs/formats/frame.md`). A source believes only documents of this form: a proxy's error page or a
sign-in page of somebody's network is no answer, and the same frame goes again.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from meltwatch.errors import Problem
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.transport.errors import Busy as BusyRefusal
from meltwatch.transport.errors import FrameRefused, LayoutUnknown, SequenceGap, shown
from meltwatch.transport.judge import Admitted
from meltwatch.transport.lane import (
    Accepted,
    Busy,
    Conflict,
    Event,
    Gap,
    LastSeq,
    Rejected,
    Unavailable,
)

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The frame is durable: status 200.

    `accepted`: rows that became samples. `quarantined`: the others, (row from 0, reason's key).
    `last_seq`: the epoch's last stored number. `server_time`: ms UTC, to discipline a clock by.
    """

    accepted: int
    quarantined: tuple[tuple[int, str], ...] = ()
    last_seq: int
    server_time: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far the server has one epoch: the answer to `GET /v1/sources/{gateway}/{epoch}`.

    `last_seq`: 0 for an epoch that the server has never seen. `newest_epoch`: the gateway's
    greatest, None before any; a gateway that has lost its disk starts behind it (`new_epoch`).
    """

    gateway: SourceId
    epoch: EpochId
    last_seq: int
    newest_epoch: EpochId | None
    server_time: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing was logged; the status is the error's.

    `refused`: the key of the first problem. `retry`: the same bytes may pass later. `expected`:
    where to resume after a gap. `after_ms`: how long to wait when the server is busy.
    """

    refused: str
    retry: bool
    problems: tuple[Problem, ...]
    server_time: int
    expected: int | None = None
    after_ms: int | None = None


def answer(admitted: Admitted, last_seq: int, now: int) -> Answer:
    """Return the answer to a frame that is durable; `now`: the server's clock, ms UTC."""
    return Answer(
        accepted=len(admitted.samples),
        quarantined=tuple((one.row, one.key) for one in admitted.quarantined),
        last_seq=last_seq,
        server_time=now,
    )


def refusal(error: FrameRefused, now: int) -> Refusal:
    """Return the answer to a frame that is refused; its status is `error.status`."""
    return Refusal(
        refused=error.key,
        retry=error.retry,
        problems=error.problems,
        server_time=now,
        expected=error.expected if isinstance(error, SequenceGap) else None,
        after_ms=error.after_ms if isinstance(error, BusyRefusal) else None,
    )


def unavailable(now: int) -> Refusal:
    """Return the answer when the store does not answer (503): outcome unknown, send it again."""
    return Refusal(
        refused="frame.unavailable",
        retry=True,
        problems=(Problem("", "frame.unavailable"),),
        server_time=now,
    )


def encode(document: Answer | Standing | Refusal) -> bytes:
    """Return the document as a JSON body."""
    return msgspec.json.encode(document)


def event_of_frame(status: int, body: bytes) -> Event:
    """Return what the response to a frame means to its source's lane."""
    if status == 200:
        told = _read(body, Answer)
        return Accepted(told.last_seq) if told else _not_ours(status)
    return _event_of_refusal(status, body)


def event_of_standing(status: int, body: bytes, gateway: SourceId, epoch: EpochId) -> Event:
    """Return what the response to asking for the epoch's last number means to its lane."""
    if status == 200:
        told = _read(body, Standing)
        ours = told is not None and (told.gateway, told.epoch) == (gateway, epoch)
        return LastSeq(told.last_seq) if told and ours else _not_ours(status)
    return _event_of_refusal(status, body)


def layout_wanted(status: int, body: bytes) -> str | None:
    """Return the id of the list of points that the server must be told first; None: of none."""
    told = _read(body, Refusal) if status == LayoutUnknown.status else None
    if told is None or told.refused != "frame.layout_unknown" or not told.problems:
        return None
    return str(told.problems[0].params.get("layout", ""))


def _event_of_refusal(status: int, body: bytes) -> Event:
    told = _read(body, Refusal)
    if told is None or not 400 <= status < 500:
        return _not_ours(status)
    match told:
        case Refusal(refused="frame.gap", expected=int(expected)):
            return Gap(expected)
        case Refusal(refused="frame.conflict"):
            return Conflict()
        case Refusal(refused="frame.busy", after_ms=int(after_ms)):
            return Busy(after_ms)
    return Rejected(shown(told.refused), told.retry)


def _not_ours(status: int) -> Unavailable:
    return Unavailable(f"status {status}")


def _read(body: bytes, shape: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
