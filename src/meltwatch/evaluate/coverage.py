"""What of a source's time is complete: runs of its live lane, holes between them, gaps left.

Frames of the live lane that continue each other are a run. After an outage a new run begins; the
time between the old run's complete_to and the new run's complete_from is a hole, which back-filled
frames close. What of a hole is not yet closed is a gap.
"""

from __future__ import annotations

import msgspec

from meltwatch.model.log import Interval, SamplesRecord


class Coverage(msgspec.Struct):
    """One source's completed intervals since the anchor, as `(from, to]` in order, disjoint.

    `run_end`: complete_to of the live run (None before the first frame). `first_from`: where the
    first run began; what is back-filled before it lies in a hole too. `holes`: every hole
    since the anchor, closed or not, at its full extent. `advanced_at`: the receiver's clock when
    the live run last advanced, or when the source was configured. `offline_since`: while offline,
    the instant of the raise; `offline_marks`: all such instants since the anchor. `first_to`: the
    complete_to of its first frame, the source's first instant unless the plant says another.
    """

    advanced_at: int
    run_end: int | None = None
    first_from: int | None = None
    covered: list[Interval] = []
    holes: list[Interval] = []
    offline_since: int | None = None
    offline_marks: list[int] = []
    first_to: int | None = None

    def gaps(self, after: int) -> list[Interval]:
        """Return what of `(after, run_end]` is not complete, in order."""
        if self.run_end is None:
            return []
        found: list[Interval] = []
        reached = after
        for start, end in self.covered:
            if start > reached:
                found.append((reached, start))
            reached = max(reached, end)
        if self.run_end > reached:
            found.append((reached, self.run_end))
        return found

    def in_hole(self, at: int) -> bool:
        """Return whether the instant lies in a hole, closed or not."""
        return any(start < at <= end for start, end in self.holes)

    def advances(self, record: SamplesRecord) -> bool:
        """Return whether the frame belongs to the live lane and takes the run further."""
        return not record.backfill and (self.run_end is None or record.complete_to > self.run_end)

    def begins_run(self, record: SamplesRecord) -> bool:
        """Return whether the frame begins a run behind a hole."""
        return (
            self.advances(record)
            and self.run_end is not None
            and record.complete_from > self.run_end
        )

    def take(self, record: SamplesRecord) -> None:
        """Note what a frame completes."""
        if not self.covered or record.complete_from < self.covered[0][0]:
            self.first_to = record.complete_to
        if self.begins_run(record):
            assert self.run_end is not None
            self.holes.append((self.run_end, record.complete_from))
        if record.backfill and self.first_from is not None:
            if record.complete_from < self.first_from:
                self._open_before(record.complete_from, self.first_from)
        elif self.first_from is None and not record.backfill:
            self.first_from = record.complete_from
            if self.covered:
                self._open_before(self.covered[0][0], record.complete_from)
        if self.advances(record):
            self.run_end = record.complete_to
            self.advanced_at = record.received_at
        for interval in (*record.lost, (record.complete_from, record.complete_to)):
            self._cover(interval)

    def forget(self, before: int) -> None:
        """Drop what lies wholly at or before an instant that nothing can change any more."""
        self.covered = [one for one in self.covered if one[1] >= before]
        self.holes = [one for one in self.holes if one[1] > before]
        self.offline_marks = [one for one in self.offline_marks if one > before]

    def _open_before(self, start: int, first: int) -> None:
        """Let the hole before the first run reach back to `start`."""
        before = [hole for hole in self.holes if hole[1] == first]
        others = [hole for hole in self.holes if hole[1] != first]
        self.holes = [(min([start, *(hole[0] for hole in before)]), first), *others]

    def _cover(self, interval: Interval) -> None:
        start, end = interval
        if end <= start:
            return
        apart = [one for one in self.covered if one[1] < start or one[0] > end]
        touching = [one for one in self.covered if not (one[1] < start or one[0] > end)]
        merged = (
            min([start, *(one[0] for one in touching)]),
            max([end, *(one[1] for one in touching)]),
        )
        self.covered = sorted([*apart, merged])
