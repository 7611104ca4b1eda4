"""What the ledger holds behind the sealed position: rows and coverage that no file has yet."""

from __future__ import annotations

import msgspec

from meltwatch.history.coverage import Coverage, note
from meltwatch.history.pile import Pile
from meltwatch.history.rows import Rows
from meltwatch.ledger.port import StreamReader
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.log import SamplesRecord

READ_AT_ONCE = 500
MOST_ENTRIES = 50_000
"""How much of the log behind the sealed is read at most: the sealer is far behind then, and what
comes later is told as blind."""


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the log's order, not settled. `reached`: up to where they are all that was told.

    None: to the end of the log; else the last frame's complete_to that was read, ms UTC.
    """

    rows: Rows
    coverage: Coverage
    reached: int | None = None


def read_tail(reader: StreamReader, enterprise: EnterpriseId, after: int) -> Tail:
    """Return what is behind a position; raises what the ledger raises, `Truncated` among it."""
    pile, coverage = Pile(), Coverage()
    reached: int | None = None
    for _ in range(0, MOST_ENTRIES, READ_AT_ONCE):
        entries = reader.read(enterprise, after, READ_AT_ONCE)
        for stored in entries:
            after = stored.pos
            record = record_of(stored.data) if stored.kind == "samples" else None
            if isinstance(record, SamplesRecord):
                pile.add(record)
                note(coverage, record)
                reached = record.complete_to if record.mark == "real" else reached
        if len(entries) < READ_AT_ONCE:
            return Tail(rows=pile.rows(), coverage=coverage)
    return Tail(rows=pile.rows(), coverage=coverage, reached=reached)
