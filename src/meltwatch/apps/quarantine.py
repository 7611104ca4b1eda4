"""What is in quarantine: rows that frames brought and that are no samples, each with its reason.

They are in the ledger as their source sent them, for as long as the ledger keeps the frame. Each is
told with the figures of the plant that was in force when it came, whether it would pass under the
one in force now, and when it was requeued, if it was (`requeue.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from meltwatch.apps.core_order import record_stored
from meltwatch.apps.stored import state_of
from meltwatch.errors import Problem
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import Stored, StreamReader
from meltwatch.ledger.reading import EmbeddedReader, checkpoint_of
from meltwatch.model.encoding import UnknownEncoding
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.log import (
    ConfigRecord,
    Evidence,
    LayoutRecord,
    Record,
    RequeuedRecord,
    SamplesRecord,
)
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params
from meltwatch.present.words import words_of
from meltwatch.transport.errors import shown
from meltwatch.transport.frame import Frame, decode
from meltwatch.transport.intake import AHEAD_MS
from meltwatch.transport.judge import Quarantined, judge, row_told
from meltwatch.transport.points import PointBook, book_of

READ_AT_ONCE = 500
REQUEUE = "requeue "
"""What the name of a requeued frame's stream begins with; its position follows."""


class KeptRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row in quarantine.

    `pos`: its frame's place in the log; `row`: its place in the frame, from 0. `key`, `params`: why
    it could not be used when it came. `told`: the row as it was sent. `passes`: it would be used
    under the plant in force now. `requeued_at`: when it was, ms UTC; None: it was not.
    `rounds`: how often rows of its frame were.
    """

    pos: int
    received_at: int
    source: SourceId
    epoch: EpochId
    seq: int
    row: int
    key: str
    params: Params
    told: str
    passes: bool = False
    requeued_at: int | None = None
    rounds: int = 0

    @property
    def place(self) -> str:
        """Return the row's name among people: the frame and its place in it."""
        return f"{self.source}/{self.epoch} {self.seq}[{self.row}]"


def quarantine(ledger: Path, enterprise: EnterpriseId, since: int = 0) -> Iterator[KeptRow]:
    """Yield the rows in quarantine that came at or after `since` (ms UTC), in the log's order.

    May run beside the core. Raises Unavailable when there is no ledger.
    """
    with closing(EmbeddedReader(ledger)) as reader:
        now, requeued = _look_ahead(reader, enterprise)
        now = now or _checkpointed(ledger, enterprise)
        then, layouts = None, dict[str, tuple[PointCode, ...]]()
        for stored, record in records(reader, enterprise):
            if isinstance(record, ConfigRecord):
                then = record.plant
            elif isinstance(record, LayoutRecord):
                layouts[record.layout] = record.points
            elif isinstance(record, SamplesRecord) and record.received_at >= since:
                if record.evidence is None or not record.evidence.quarantined:
                    continue
                rounds = reader.last_seq(f"{REQUEUE}{stored.pos}")
                frame = frame_of(record.evidence, layouts)
                for kept in kept_rows(record, frame, stored.pos, then or now, now):
                    at = requeued.get((stored.pos, kept.row))
                    yield msgspec.structs.replace(kept, requeued_at=at, rounds=rounds)


def frame_of(evidence: Evidence, layouts: Mapping[str, tuple[PointCode, ...]]) -> Frame:
    """Return the frame as it was sent, over the points of its layout if that was announced."""
    frame = decode(evidence.body)
    if frame.points is None and (points := layouts.get(frame.layout or "")) is not None:
        frame = msgspec.structs.replace(frame, points=points)
    return frame


def layouts_before(
    reader: StreamReader, enterprise: EnterpriseId, pos: int
) -> dict[str, tuple[PointCode, ...]]:
    """Return the layouts that an enterprise's log has announced before a position."""
    found: dict[str, tuple[PointCode, ...]] = {}
    for stored, record in records(reader, enterprise):
        if stored.pos >= pos:
            break
        if isinstance(record, LayoutRecord):
            found[record.layout] = record.points
    return found


def kept_rows(
    record: SamplesRecord,
    frame: Frame,
    pos: int = 0,
    then: Plant | None = None,
    now: Plant | None = None,
) -> Iterator[KeptRow]:
    """Yield the rows of one frame that are in quarantine.

    Their figures are of the plant `then`; `now` says whether they would pass.
    """
    if record.evidence is None or not record.evidence.quarantined:
        return
    book, today = _book(then, record.source), _book(now, record.source)
    for place, key in record.evidence.quarantined:
        row = row_told(frame, place)
        yield KeptRow(
            pos=pos,
            received_at=record.received_at,
            source=record.source,
            epoch=record.epoch,
            seq=record.seq,
            row=place,
            key=key,
            params=_figures(place, row, key, frame, book, record.received_at),
            told=json.dumps(row, ensure_ascii=False),  # NaN is among what it must show
            # By the clock of the receipt: time alone makes no instant right.
            passes=today is not None
            and not isinstance(judge(place, frame, today, record.received_at), Quarantined),
        )


def records(reader: StreamReader, enterprise: EnterpriseId) -> Iterator[tuple[Stored, Record]]:
    """Yield what is retained of an enterprise's log and can be read, with its place."""
    after = 0
    while True:
        try:
            entries = reader.read(enterprise, after, READ_AT_ONCE)
        except Truncated as truncated:
            after = truncated.first - 1
            continue
        if not entries:
            return
        for stored in entries:
            after = stored.pos
            with suppress(UnknownEncoding):  # the core has told of it
                yield stored, record_stored(stored.data)


def line_of(kept: KeptRow) -> str:
    """Return a row in quarantine as one line: when, which frame and place, why, the row itself."""
    chinese, english = words_of(Problem(kept.place, kept.key, kept.params))
    line = f"{_at(kept.received_at)} {kept.place} {kept.key}: {chinese} / {english}: {kept.told}"
    if kept.requeued_at is not None:
        return f"{line} [已于 {_at(kept.requeued_at)} 重新入列 / requeued then]"
    return f"{line} [现可重新入列 / would pass now: meltwatch requeue]" if kept.passes else line


def _at(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND_MS, UTC).isoformat(timespec="milliseconds")


def _look_ahead(
    reader: StreamReader, enterprise: EnterpriseId
) -> tuple[Plant | None, dict[tuple[int, int], int]]:
    """Return the last plant told in the log, and when rows were requeued by (position, row)."""
    plant: Plant | None = None
    requeued: dict[tuple[int, int], int] = {}
    for _, record in records(reader, enterprise):
        if isinstance(record, ConfigRecord):
            plant = record.plant
        elif isinstance(record, RequeuedRecord):
            requeued |= {(record.frame, row): record.received_at for row in record.rows}
    return plant, requeued


def _checkpointed(ledger: Path, enterprise: EnterpriseId) -> Plant | None:
    """Return the plant of the last checkpoint, for a log that no longer has its config record."""
    state = checkpoint_of(ledger, enterprise)
    if state is None:
        return None
    told = state_of(state)
    return None if told is None else told.plant


def _book(plant: Plant | None, source: SourceId) -> PointBook | None:
    return None if plant is None or source not in plant.sources else book_of(plant, source)


def _figures(  # noqa: PLR0911  # one for each key
    place: int, row: Any, key: str, frame: Frame, book: PointBook | None, received_at: int
) -> Params:
    """Return the params of a row's reason; without its plant, those that the row itself tells."""
    if book is not None:
        judged = judge(place, frame, book, received_at)
        if isinstance(judged, Quarantined) and judged.key == key:
            return judged.params
    cells: list[Any] = [*row, None, None, None, None, None] if isinstance(row, list) else []
    code, at, value, quality, unit = cells[:5] or [None] * 5
    match key:
        case "row.shape":
            return {"told": shown(row)}
        case "row.unknown_point":
            return {"told": shown(code)}
        case "row.foreign_point":
            return {"point": shown(code), "source": "?"}
        case "row.at_not_an_instant":
            return {"told": shown(at)}
        case "row.at_ahead":
            return {"ahead_ms": at - received_at, "limit_ms": AHEAD_MS}
        case "row.value_not_a_number":
            return {"told": shown(value)}
        case "row.quality_unknown":
            return {"told": shown(quality)}
        case "row.unit_mismatch":
            return {"told": shown(unit), "expected": "?"}
        case _:
            return {}
