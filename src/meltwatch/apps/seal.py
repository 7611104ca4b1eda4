"""The sealer process: reads the ledger beside the core, writes segments, forgets nothing.

It resumes from what its catalogue says is sealed; the ledger may not drop what it still needs.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from contextlib import ExitStack
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
    data: Path,
    enterprises: Iterable[EnterpriseId],
    clock: Clock,
    *,
    once: bool,
    every_s: float = EVERY_S,
) -> int:
    """Seal until SIGINT or SIGTERM, or once all that is there; return the number of segments.

    Each enterprise has a directory of its own. What was read but not due is sealed at the end
    too: an orderly stop leaves nothing to redo.
    """
    stopping = threading.Event()
    if not once:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stopping.set())
    with ExitStack() as opened:
        while not once and not (data / LEDGER).is_dir():
            if stopping.wait(LOOK_EVERY_S):  # the core has not made it yet
                return 0
        reader = EmbeddedReader(data / LEDGER)
        opened.callback(reader.close)
        sealers: dict[EnterpriseId, Sealer] = {}
        for enterprise in enterprises:
            sealer = Sealer(data / HISTORY / enterprise, enterprise, every_s=every_s)
            opened.callback(sealer.close)
            sealers[enterprise] = sealer
        made = 0
        after = {enterprise: sealer.sealed_to() for enterprise, sealer in sealers.items()}
        while True:
            now = clock.wall_ms()
            ending = once or stopping.is_set()
            any_told = False
            for enterprise, sealer in sealers.items():
                after[enterprise], told = feed(reader, sealer, enterprise, after[enterprise])
                any_told |= told
                if sealer.due(now) or (ending and not told):
                    made += len(sealer.seal(now))
            if ending and not any_told:
                return made
            if not any_told:
                stopping.wait(LOOK_EVERY_S)


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
