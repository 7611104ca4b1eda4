"""The records of the one ordered log that an enterprise is: state is their fold.

`samples | events | command | config | layout | tick`. Everything that the pure middle may know
comes in as one of these, time included, so that recovery, back-test and late data see what was
known when. Instants are ms UTC; `received_at` is the owner node's wall clock at the append.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from meltwatch.model.ids import (
    CaseId,
    CommandId,
    EpochId,
    OccurrenceId,
    PointCode,
    SourceId,
)
from meltwatch.model.plant import Plant
from meltwatch.model.risk_model import RiskModel
from meltwatch.model.sample import SampleBatch

Mark = Literal["real", "test"]
Interval = tuple[int, int]
"""A half-open interval of instants `(from, to]`."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the source sent, byte for byte, and what intake made of it.

    `body` is what `key` and `signature` cover; `quarantined`: (row, reason's key) of rows that are
    not among the samples.
    """

    body: bytes
    key: str
    signature: str
    quarantined: tuple[tuple[int, str], ...] = ()


class SamplesRecord(msgspec.Struct, frozen=True, kw_only=True, tag="samples"):
    """A frame as the ledger took it: the samples of `(complete_from, complete_to]`, all of them.

    `epoch` sorts by its start. `backfill`: the epoch was not the source's newest when the frame
    came. `lost`: intervals that the source declares complete and empty. `evidence` is for people
    and checks: the journey does not read it.
    """

    received_at: int
    source: SourceId
    epoch: EpochId
    seq: int
    complete_from: int
    complete_to: int
    samples: SampleBatch
    mark: Mark = "real"
    backfill: bool = False
    lost: tuple[Interval, ...] = ()
    evidence: Evidence | None = None


class RequeuedRecord(SamplesRecord, frozen=True, kw_only=True, tag="samples"):
    """Rows of a frame that could not be used when it came and can be now: the node's own doing.

    A samples record with more in it: whoever reads samples reads it as one. It completes nothing.
    Its `epoch` is the frame's with a `+` for each requeueing, so that what it says was sent after
    the frame and before whatever the source sent in later epochs. `frame`: the frame's position;
    `rows`: places in it, in the order of `samples`. The others: who asked for it.
    """

    frame: int
    rows: tuple[int, ...]
    who: str
    role: str
    node: str
    origin: str
    why: str


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is no number: a heat or cast id, a device's or a camera's event."""

    at: int
    subject: str
    key: str
    params: dict[str, str | int | float] = {}


class EventsRecord(msgspec.Struct, frozen=True, kw_only=True, tag="events"):
    """Happenings that a source, or the node itself, tells in its order."""

    received_at: int
    source: SourceId
    events: tuple[Happening, ...]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """What a person asks for: who, in which role, at which node, from where, and why."""

    id: CommandId
    who: str
    role: str
    node: str
    origin: str
    why: str


class Acknowledge(Command, frozen=True, kw_only=True, tag="acknowledge"):
    """Silence the horn of an occurrence: nothing else changes."""

    occurrence: OccurrenceId


class Verify(Command, frozen=True, kw_only=True, tag="verify"):
    """核实: say what was found on the spot."""

    case: CaseId
    found: str


class Handle(Command, frozen=True, kw_only=True, tag="handle"):
    """处置: say what was done about it."""

    case: CaseId
    measure: str


class Close(Command, frozen=True, kw_only=True, tag="close"):
    """消警: a person closes the case, with its cause."""

    case: CaseId
    cause: str


class ConfirmHazard(Command, frozen=True, kw_only=True, tag="confirm_hazard"):
    """A person confirms that an item of order 10 is open (重大事故隐患)."""

    hazard: str
    article: str


class ResolveHazard(Command, frozen=True, kw_only=True, tag="resolve_hazard"):
    """A person confirms that the item is rectified."""

    hazard: str


AnyCommand = Acknowledge | Verify | Handle | Close | ConfirmHazard | ResolveHazard


class CommandRecord(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """A command in its owner's order."""

    received_at: int
    command: AnyCommand


class ConfigRecord(msgspec.Struct, frozen=True, kw_only=True, tag="config"):
    """The plant and the risk model in force from this place in the log on."""

    received_at: int
    plant: Plant
    risk_model: RiskModel


class LayoutRecord(msgspec.Struct, frozen=True, kw_only=True, tag="layout"):
    """A layout: an immutable, never reused list of points that later frames name by its id."""

    received_at: int
    layout: str
    points: tuple[PointCode, ...]


class TickRecord(msgspec.Struct, frozen=True, kw_only=True, tag="tick"):
    """The owner node's clock has passed `at`; `offline` names sources that stood still too long.

    `offline` is decided on the receiver's monotonic clock and recorded here, so that a re-run
    repeats it whatever the clocks did.
    """

    at: int
    offline: tuple[SourceId, ...] = ()


Record = SamplesRecord | EventsRecord | CommandRecord | ConfigRecord | LayoutRecord | TickRecord


def told_at(record: Record) -> int:
    """Return the owner node's clock as the record tells it, ms UTC."""
    return record.at if isinstance(record, TickRecord) else record.received_at
