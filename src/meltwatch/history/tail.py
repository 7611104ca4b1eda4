"""What the log holds of one point behind what is sealed: the end of every trend.

Only real samples. A sealer that has long been down leaves a long tail: so much of it is read and
no more, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from meltwatch.history.rows import DTYPES, Rows, no_rows
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import StreamReader
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.model.log import SamplesRecord
from meltwatch.model.quality import Quality

FRAMES_AT_MOST = 20_000
ROWS_AT_MOST = 6_000_000
"""Rows of frames looked through, of any point: more than a sealer at work ever leaves."""
READ_AT_ONCE = 200


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the log's order, behind `sealed_to`; `truncated`: the log may hold more."""

    sealed_to: int
    rows: Rows
    truncated: bool = False


def tail_of(
    reader: StreamReader,
    enterprise: EnterpriseId,
    sealed_to: Callable[[], int],
    point: PointCode,
    span: tuple[int, int],
) -> Tail:
    """Return the real rows of a point in `span` (ms UTC, both included) that are not sealed.

    `sealed_to` tells the position that is sealed now: if retention has removed what was sealed
    between the question and the reading, it is asked again.
    """
    sealed = after = sealed_to()
    picking, truncated = _Picking(point, span), False
    while True:
        try:
            entries = reader.read(enterprise, after, READ_AT_ONCE)
        except Truncated as gone:
            newer = sealed_to()
            if newer > sealed:
                sealed = after = newer
                picking = _Picking(point, span)
            else:  # removed before it was sealed: what is left is still worth showing
                after, truncated = gone.first - 1, True
            continue
        for stored in entries:
            if picking.is_full():
                return Tail(sealed_to=sealed, rows=picking.rows(), truncated=True)
            if stored.kind == "samples":
                record = record_of(stored.data)
                if isinstance(record, SamplesRecord):
                    picking.look_at(record)
        if not entries:
            return Tail(sealed_to=sealed, rows=picking.rows(), truncated=truncated)
        after = entries[-1].pos


class _Picking:
    """Picks a point's rows out of frames."""

    def __init__(self, point: PointCode, span: tuple[int, int]) -> None:
        self._point, self._from, self._to = point, *span
        self._seen_frames = self._seen_rows = 0
        self._parts: list[tuple[SamplesRecord, Any]] = []
        self._epochs: dict[str, int] = {}
        self._columns: dict[str, list[Any]] = {name: [] for name in DTYPES}

    def is_full(self) -> bool:
        """Return whether enough has been looked at."""
        return self._seen_frames >= FRAMES_AT_MOST or self._seen_rows >= ROWS_AT_MOST

    def look_at(self, record: SamplesRecord) -> None:
        """Keep what is asked for of a frame."""
        samples = record.samples
        self._seen_frames += 1
        self._seen_rows += len(samples)
        if record.mark != "real" or self._point not in samples.layout:
            return
        at = samples.at
        nth = np.flatnonzero(
            (samples.point == samples.layout.index(self._point))
            & (at >= self._from)
            & (at <= self._to)
            & (samples.quality & np.uint16(Quality.TEST) == 0)
        )
        if not len(nth):
            return
        epoch = self._epochs.setdefault(record.epoch, len(self._epochs))
        told = {
            "point": 0,
            "at": at[nth],
            "value": samples.value[nth],
            "quality": samples.quality[nth],
            "source": 0,
            "epoch": epoch,
            "seq": record.seq,
            "nth": nth,
        }
        for name, column in self._columns.items():
            column.append(np.broadcast_to(np.asarray(told[name], DTYPES[name]), nth.shape))

    def rows(self) -> Rows:
        """Return what was kept, in the log's order."""
        if not self._columns["at"]:
            return no_rows()
        columns: dict[str, Any] = {
            name: np.concatenate(parts) for name, parts in self._columns.items()
        }
        return Rows(points=(self._point,), sources=("",), epochs=tuple(self._epochs), **columns)
