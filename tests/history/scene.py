"""A log of which as much is sealed and compacted as a test likes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from meltwatch.apps.core import entry_of
from meltwatch.history.keeping import OURS, Keeping
from meltwatch.history.queries import History
from meltwatch.history.sealer import Sealer
from meltwatch.history.trend import TrendColumns, Window, trend
from meltwatch.ledger.memory import MemoryHome
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import Interval, Mark, SamplesRecord
from meltwatch.model.sample import Row, batch_of
from tests.history.telling import PLANT

FLOW = PointCode("well-1/flow")
LONG_AFTER = 10**13


class Scene:
    """A log, of which as much is sealed as a test likes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stream = MemoryHome().stream
        self.seqs: dict[str, int] = {}

    def frame(
        self,
        *rows: Row,
        epoch: str = "e1",
        mark: Mark = "real",
        complete: Interval | None = None,
        lost: tuple[Interval, ...] = (),
    ) -> None:
        told = complete or (0, max((row[1] for row in rows), default=0))
        seq = self.seqs[epoch] = self.seqs.get(epoch, 0) + 1
        record = SamplesRecord(
            received_at=0,
            source=SourceId("gw"),
            epoch=EpochId(epoch),
            seq=seq,
            complete_from=told[0],
            complete_to=told[1],
            lost=lost,
            samples=batch_of(rows),
            mark=mark,
        )
        self.stream.append(PLANT, [entry_of(record, f"gw/{epoch}", seq, bytes((seq,)) * 32)])

    def take(self, record: SamplesRecord) -> None:
        """Put a record into the log."""
        self.count = getattr(self, "count", 0) + 1
        digest = self.count.to_bytes(32, "big")
        source = f"{record.source}/{record.epoch}"
        self.stream.append(PLANT, [entry_of(record, source, record.seq, digest)])

    def compact(self, now: int = LONG_AFTER, keeping: Keeping = OURS) -> None:
        """Compact every hour that ends before `now`."""
        with closing(Sealer(self.directory, PLANT, keeping=keeping)) as sealer:
            sealer.compact(now)

    @property
    def history(self) -> History:
        return History(self.directory, self.stream, PLANT)

    def seal(self) -> None:
        with closing(Sealer(self.directory, PLANT)) as sealer:
            for stored in self.stream.read(PLANT, sealer.sealed_to(), 10_000):
                record = record_of(stored.data)
                assert isinstance(record, SamplesRecord)
                sealer.take(stored.pos, record)
            sealer.seal(0)

    def trend(
        self, at_from: int, at_to: int, width: int = 1000, stale_ms: int | None = None
    ) -> TrendColumns:
        window = Window(at_from=at_from, at_to=at_to, width=width, stale_ms=stale_ms)
        return trend(self.directory, self.stream, PLANT, FLOW, window)
