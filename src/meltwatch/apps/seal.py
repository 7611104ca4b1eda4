"""The sealer process: reads the ledger beside the core, writes segments, forgets nothing.

It resumes from what its catalogue says is sealed; the ledger may not drop what it still needs.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from meltwatch.apps.core_damage import entries_lost
from meltwatch.apps.stored import record_sound
from meltwatch.clock import Clock
from meltwatch.history.errors import HistoryError
from meltwatch.history.keeping import OURS, Keeping
from meltwatch.history.sealer import EVERY_S, Sealer
from meltwatch.ledger.port import StreamReader
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.model.ids import EnterpriseId, EpochId, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.sample import EMPTY
from meltwatch.present.words import words_of

LEDGER = "ledger"
HISTORY = "history"
READ_AT_ONCE = 500
NO_SAMPLES = SamplesRecord(
    received_at=0,
    source=SourceId(""),
    epoch=EpochId(""),
    seq=0,
    complete_from=0,
    complete_to=0,
    samples=EMPTY,
    mark="test",
)
"""What stands for ticks and orders at the log's end: history has nothing to seal of them, and the
ledger need not keep them for it."""
_log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0


Tell = Callable[[EnterpriseId, HistoryError, bool], None]
"""Hears of an enterprise's history that failed: which, why, and whether it is still sealed."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """How many segments were made, and whose history could not be gone on with, and why."""

    made: int
    failed: dict[EnterpriseId, HistoryError]


def seal(
    data: Path,
    enterprises: Iterable[EnterpriseId],
    clock: Clock,
    *,
    once: bool,
    every_s: float = EVERY_S,
    keeping: Keeping = OURS,
    tell: Tell = lambda *_: None,
) -> Sealed:
    """Seal until SIGINT or SIGTERM, or once all that is there.

    Each enterprise has a directory of its own; one whose history fails is told, once, and the
    others go on. One that can be sealed and not compacted goes on being sealed. What was read but
    not due is sealed at the end too: an orderly stop leaves nothing to redo. Raises what the
    ledger raises.
    """
    stopping = threading.Event()
    if not once:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stopping.set())
    failed: dict[EnterpriseId, HistoryError] = {}
    with ExitStack() as opened:
        while not once and not (data / LEDGER / "index.sqlite").exists():
            if stopping.wait(LOOK_EVERY_S):  # the core has not made it yet
                return Sealed(made=0, failed={})
        reader = EmbeddedReader(data / LEDGER)
        opened.callback(reader.close)
        settings = _Settings(every_s=every_s, keeping=keeping, tell=tell)
        each = [_Each(data, one, reader, settings, opened) for one in enterprises]
        made, lost = 0, 0
        while True:
            ending = once or stopping.is_set()
            any_told = False
            for one in [one for one in each if one.enterprise not in failed]:
                try:
                    told, new = one.go_on(clock.wall_ms(), ending=ending)
                except HistoryError as error:
                    failed[one.enterprise] = error
                    tell(one.enterprise, error, False)
                else:
                    any_told |= told
                    made += new
            lost = _tell_lost(reader, lost)
            if ending and not any_told:
                return Sealed(made=made, failed=failed)
            if not any_told:
                stopping.wait(LOOK_EVERY_S)


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every enterprise."""

    every_s: float
    keeping: Keeping
    tell: Tell


def _tell_lost(reader: StreamReader, before: int) -> int:
    """Say once what the ledger has lost: it is missing from history too."""
    lost = reader.damage()
    if len(lost) != before:
        for one in entries_lost(lost):
            _log.error("%s: %s / %s", one.place, *words_of(one))
    return len(lost)


class _Each:
    """One enterprise's sealer, opened when it is first asked, and where it stands in the log."""

    def __init__(
        self,
        data: Path,
        enterprise: EnterpriseId,
        reader: StreamReader,
        settings: _Settings,
        opened: ExitStack,
    ) -> None:
        self.enterprise = enterprise
        self._place, self._settings = data / HISTORY / enterprise, settings
        self._reader, self._opened = reader, opened
        self._sealer: Sealer | None = None
        self._after = 0
        self._compacts = True

    def go_on(self, now: int, *, ending: bool) -> tuple[bool, int]:
        """Read on and seal what is due; return whether anything was there, and what was made."""
        if self._sealer is None:
            self._sealer = Sealer(
                self._place,
                self.enterprise,
                every_s=self._settings.every_s,
                keeping=self._settings.keeping,
            )
            self._opened.callback(self._sealer.close)
            self._after = self._sealer.sealed_to()
        self._after, told = feed(self._reader, self._sealer, self.enterprise, self._after)
        due = self._sealer.due(now) or (ending and not told)
        made = len(self._sealer.seal(now)) if due else 0
        if self._compacts and (due or not told):
            try:
                self._sealer.compact(now)
            except HistoryError as error:
                self._compacts = False
                self._settings.tell(self.enterprise, error, True)
        return told, made


def feed(
    reader: StreamReader, sealer: Sealer, enterprise: EnterpriseId, after: int
) -> tuple[int, bool]:
    """Give the sealer the next samples behind a position; return where it stands, and if any."""
    entries = reader.read(enterprise, after, READ_AT_ONCE)
    for stored in entries:
        after = stored.pos
        if stored.kind == "samples":
            record = record_sound(stored, enterprise)
            if isinstance(record, SamplesRecord):
                sealer.take(stored.pos, record)
    if entries and entries[-1].kind != "samples":
        sealer.take(after, NO_SAMPLES)
    return after, bool(entries)
