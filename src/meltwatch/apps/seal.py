"""The sealer process: reads the ledger beside the core, writes segments, forgets nothing.

It resumes from what its catalogue says is sealed; the ledger may not drop what it still needs.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from meltwatch.clock import Clock
from meltwatch.history.sealer import EVERY_S, Sealer
from meltwatch.ledger.port import StreamReader
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.log import SamplesRecord

LEDGER = "ledger"
HISTORY = "history"
READ_AT_ONCE = 500
LOOK_EVERY_S = 1.0


def seal(
    data: Path, enterprise: EnterpriseId, clock: Clock, *, once: bool, every_s: float = EVERY_S
) -> int:
    """Seal until SIGINT or SIGTERM, or once all that is there; return the number of segments.

    What was read but not due is sealed at the end too: an orderly stop leaves nothing to redo.
    """
    stopping = threading.Event()
    if not once:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stopping.set())
    reader = EmbeddedReader(data / LEDGER)
    sealer = Sealer(data / HISTORY, enterprise, every_s=every_s)
    try:
        made = 0
        after = sealer.sealed_to()
        while True:
            after, told = feed(reader, sealer, enterprise, after)
            now = clock.wall_ms()
            ending = once or stopping.is_set()
            if sealer.due(now) or (ending and not told):
                made += len(sealer.seal(now))
            if ending and not told:
                return made
            if not told:
                stopping.wait(LOOK_EVERY_S)
    finally:
        sealer.close()
        reader.close()


def feed(
    reader: StreamReader, sealer: Sealer, enterprise: EnterpriseId, after: int
) -> tuple[int, bool]:
    """Give the sealer the next samples behind a position; return where it stands, and if any."""
    entries = reader.read(enterprise, after, READ_AT_ONCE)
    for stored in entries:
        after = stored.pos
        if stored.kind == "samples":
            record = record_of(stored.data)
            if isinstance(record, SamplesRecord):
                sealer.take(stored.pos, record)
    return after, bool(entries)
