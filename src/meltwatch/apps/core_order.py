"""An order in the log: the command as the journey reads it, and the deed that the audit keeps.

The entry is a command record with one more field, the head of web's audit chain, which the journey
does not see. So the deed follows from what is stored, after a crash as well as at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from meltwatch.audit.chain import Deed, Head, Row, head_after
from meltwatch.errors import Problem
from meltwatch.journey import CommandAnswer, Effect
from meltwatch.model.encoding import decode, encode, record_of
from meltwatch.model.log import (
    Acknowledge,
    AnyCommand,
    Close,
    CommandRecord,
    ConfirmHazard,
    Handle,
    Record,
    RequeuedRecord,
    ResolveHazard,
    SamplesRecord,
    Verify,
)
from meltwatch.present.live.core_line import Obeyed, Order

WEB = "web"
"""The name of web's stream: one for all enterprises."""
DONE = "done"
AGAIN = "+"
"""What the epoch of requeued rows ends with, once for each time; no epoch of a gateway has it."""
_PLACE = "place"


class Ordered(CommandRecord, frozen=True, kw_only=True, tag="command"):
    """A command as it is stored: `other`, the head of web's audit chain when it was ordered."""

    other: Head | None = None


def digest_of(order: Order) -> bytes:
    """Return what says whether two orders of a number are the same."""
    return hashlib.sha256(encode(order)).digest()


def record_stored(data: bytes) -> Record:
    """Return the record of a stored entry: an order with its anchor, requeued rows with theirs."""
    record = record_of(data)
    if isinstance(record, CommandRecord):
        ordered: Ordered = decode(data, Ordered)
        return ordered
    if isinstance(record, SamplesRecord) and record.epoch.endswith(AGAIN):
        requeued: RequeuedRecord = decode(data, RequeuedRecord)
        return requeued
    return record


def deeds_of(record: Record, effects: Iterable[Effect]) -> Iterator[Deed]:
    """Yield what the audit keeps of a record and of what followed from it."""
    if isinstance(record, RequeuedRecord):
        yield _of_requeued(record)
    if not isinstance(record, CommandRecord):
        return
    command = record.command
    told = (one for one in effects if isinstance(one, CommandAnswer))
    problem = next((one for answer in told for one in answer.problems), None)
    yield Deed(
        at=record.received_at,
        who=command.who,
        role=command.role,
        node=command.node,
        origin=command.origin,
        action=str(type(command).__struct_config__.tag),
        subject=_subject(command),
        why=command.why,
        outcome=DONE if problem is None else problem.key,
        params={} if problem is None else {**problem.params, _PLACE: problem.place},
        other=record.other if isinstance(record, Ordered) else None,
    )


def answer_of(seq: int, row: Row) -> Obeyed:
    """Return the answer to an order, from its audit row: whenever it is asked for, the same."""
    deed = row.deed
    problems: tuple[Problem, ...] = ()
    if deed.outcome != DONE:
        params = dict(deed.params)
        place = str(params.pop(_PLACE, ""))
        problems = (Problem(place, deed.outcome, params),)
    return Obeyed(seq=seq, problems=problems, head=head_after(row))


def _of_requeued(record: RequeuedRecord) -> Deed:
    return Deed(
        at=record.received_at,
        who=record.who,
        role=record.role,
        node=record.node,
        origin=record.origin,
        action="requeue",
        subject=f"{record.source}/{record.epoch.rstrip(AGAIN)} {record.seq}",
        why=record.why,
        params={"rows": len(record.rows), "frame": record.frame},
    )


def _subject(command: AnyCommand) -> str:
    match command:
        case Acknowledge(occurrence=which):
            return which
        case Verify(case=which) | Handle(case=which) | Close(case=which):
            return which
        case ConfirmHazard(hazard=which) | ResolveHazard(hazard=which):
            return which
