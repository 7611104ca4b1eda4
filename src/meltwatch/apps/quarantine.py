"""What is in quarantine: rows that frames brought and that are no samples, each with its reason.

They are in the ledger as their source sent them, for as long as the ledger keeps the frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from meltwatch.errors import Problem
from meltwatch.ledger.port import StreamReader
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.log import LayoutRecord, SamplesRecord
from meltwatch.present.words import words_of
from meltwatch.transport.frame import decode
from meltwatch.transport.judge import row_told

READ_AT_ONCE = 500


class KeptRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row in quarantine: when it came, in which frame and place (from 0), why, and itself."""

    received_at: int
    source: SourceId
    epoch: EpochId
    seq: int
    row: int
    key: str
    told: str


def quarantine(ledger: Path, enterprise: EnterpriseId, since: int = 0) -> Iterator[KeptRow]:
    """Yield the rows in quarantine that came at or after `since` (ms UTC), in the log's order.

    May run beside the core. Raises Unavailable when there is no ledger.
    """
    reader = EmbeddedReader(ledger)
    try:
        layouts: dict[str, tuple[PointCode, ...]] = {}
        for record in _records(reader, enterprise):
            if isinstance(record, LayoutRecord):
                layouts[record.layout] = record.points
            elif record.received_at >= since:
                yield from kept_rows(record, layouts)
    finally:
        reader.close()


def kept_rows(
    record: SamplesRecord, layouts: Mapping[str, tuple[PointCode, ...]]
) -> Iterator[KeptRow]:
    """Yield the rows of one frame that are in quarantine; `layouts` as announced before it."""
    if record.evidence is None or not record.evidence.quarantined:
        return
    frame = decode(record.evidence.body)
    if frame.points is None and (points := layouts.get(frame.layout or "")) is not None:
        frame = msgspec.structs.replace(frame, points=points)
    for place, key in record.evidence.quarantined:
        yield KeptRow(
            received_at=record.received_at,
            source=record.source,
            epoch=record.epoch,
            seq=record.seq,
            row=place,
            key=key,
            told=json.dumps(
                row_told(frame, place), ensure_ascii=False
            ),  # NaN is among what it must show
        )


def _records(
    reader: StreamReader, enterprise: EnterpriseId
) -> Iterator[SamplesRecord | LayoutRecord]:
    after = 0
    while entries := reader.read(enterprise, after, READ_AT_ONCE):
        for stored in entries:
            after = stored.pos
            if stored.kind in {"samples", "layout"}:
                record = record_of(stored.data)
                if isinstance(record, SamplesRecord | LayoutRecord):
                    yield record


def line_of(kept: KeptRow) -> str:
    """Return a row in quarantine as one line: when, which frame and place, why, the row itself."""
    at = datetime.fromtimestamp(kept.received_at / SECOND_MS, UTC).isoformat(
        timespec="milliseconds"
    )
    frame = f"{kept.source}/{kept.epoch} {kept.seq}[{kept.row}]"
    chinese, english = words_of(Problem(frame, kept.key, {"told": kept.told, "expected": "?"}))
    return f"{at} {frame} {kept.key}: {chinese} / {english}: {kept.told}"
