"""How long the log is kept, and what is never taken from it: whatever somebody still has to read.

The log goes by whole files, oldest first, when they are older than `keep_days` or the log is larger
than `keep_bytes`, and early while the disk is too full to take frames; in each case only what every
reader is done with: the sealer, and a recovery from the former checkpoint. A reader that lags keeps
its files, whatever the disk says; that is a finding, and frames wait (`disk.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from meltwatch.apps.core import PASSED_OVER
from meltwatch.errors import Problem
from meltwatch.history.catalogue import FILE, Catalogue
from meltwatch.history.errors import HistoryError
from meltwatch.ledger.port import Partition, Stream
from meltwatch.ledger.room import MIB
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.reason import Params

DAY_MS = 86_400_000
FOR_EVER = 1 << 62


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the log is kept; at least the newest file is."""

    keep_ms: int
    keep_bytes: int


class Reader(msgspec.Struct, frozen=True):
    """Somebody who reads the log, and up to which position they are done with it."""

    name: str
    done: int


class Retention:
    """Takes from a node's log what nobody needs."""

    def __init__(
        self,
        stream: Stream,
        partitions: Mapping[EnterpriseId, Partition],
        history: Path,
        limits: Limits,
    ) -> None:
        """Keep the log of these enterprises; `history` is the directory of their histories.

        Entries of an enterprise that is not among them are kept: nobody can say who is done.
        """
        self.limits = limits
        self._stream, self._partitions, self._history = stream, partitions, history

    def run(self, now: int, *, wanted_bytes: int = 0) -> list[Problem]:
        """Take what may go, at `now` (ms UTC); return what stands in the way of the rest.

        `wanted_bytes`: so much more room is needed on the disk, and age does not count.
        Raises Unavailable.
        """
        readers = {name: list(self._readers(name)) for name in self._partitions}
        positions = {name: min(one.done for one in told) for name, told in readers.items()}
        told: dict[str, int] = {PASSED_OVER: FOR_EVER}
        told |= {str(name): done for name, done in positions.items()}
        most = self.limits.keep_bytes
        if wanted_bytes > 0:
            most = min(most, max(self._stream.size_bytes() - wanted_bytes, 0))
        before = now - self.limits.keep_ms
        self._stream.retain(told, received_before=before, most_bytes=most)
        over = self._stream.size_bytes() - most
        return list(self._held(told, readers, over)) if over > 0 else []

    def _readers(self, enterprise: EnterpriseId) -> Iterator[Reader]:
        yield Reader("core", self._partitions[enterprise].needed_after())
        yield Reader("sealer", self._sealed_to(enterprise))

    def _sealed_to(self, enterprise: EnterpriseId) -> int:
        """Return up to where history has the log; 0 when that cannot be told: all stays."""
        place = self._history / enterprise
        if not (place / FILE).is_file():
            return 0
        try:
            with closing(Catalogue(place)) as catalogue:
                return catalogue.sealed_to()
        except HistoryError:
            return 0

    def _held(
        self, positions: Mapping[str, int], readers: Mapping[EnterpriseId, list[Reader]], over: int
    ) -> Iterator[Problem]:
        """Yield who keeps the oldest files from going."""
        for name, end in self._stream.held_back(positions).items():
            lagging = _lagging(readers.get(EnterpriseId(name), []), end)
            params: Params = {
                "reader": ", ".join(lagging) or "?",
                "done": positions.get(name, 0),
                "needs": end,
                "over_mib": -(-over // MIB),
            }
            yield Problem(f"ledger {name}", "ledger.retention_held", params)


def _lagging(readers: Iterable[Reader], end: int) -> list[str]:
    return [one.name for one in readers if one.done < end]
