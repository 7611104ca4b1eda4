"""The sealer: samples of the log in, sealed segments out, each sample exactly once.

    sealer = Sealer(directory, enterprise)
    for pos, record in log_after(sealer.sealed_to()):
        sealer.take(pos, record)
        if sealer.due(now):
            sealer.seal(now)

The log may hold other records between: only samples are given, and positions climb. A crash
anywhere leaves a file that counts or one that does not; the next start removes the latter and goes
on from `sealed_to()`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meltwatch.errors import Problem
from meltwatch.history.catalogue import HOUR_MS, Catalogue, Kind, Segment
from meltwatch.history.compact import SETTLE_MS, Compaction, Compactor, purge, retire
from meltwatch.history.coverage import Coverage, note
from meltwatch.history.disk import (
    HELD,
    MINUTES,
    RETIRED,
    SEGMENTS,
    disk,
    locked,
    make_folders,
    retired_path,
    sync_directory,
)
from meltwatch.history.earlier import sealed_at_places_of
from meltwatch.history.errors import OutOfOrder
from meltwatch.history.keeping import OURS, Keeping
from meltwatch.history.pile import Pile
from meltwatch.history.retain import expire
from meltwatch.history.rows import Rows
from meltwatch.history.settle import settle
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.instant import to_ms
from meltwatch.model.log import SamplesRecord

EVERY_S = 60.0
ROWS_AT_MOST = 5_000_000

_OURS = re.compile(
    r"(segment|delta)-\d{19}-\d{19}(-[-\d]+)?\.parquet(\.tmp)?"
    r"|(hour-)?-?\d+(-[a-z0-9_]+)?-\d+\.parquet(\.tmp)?"
)
_NEVER = np.iinfo(np.int64).min


class Sealer:
    """The one sealer of a directory, which holds one enterprise's history.

    `removed` tells what a crash, or a seal that failed, had left behind and was removed.
    """

    def __init__(
        self,
        directory: Path,
        enterprise: EnterpriseId,
        *,
        every_s: float = EVERY_S,
        rows_at_most: int = ROWS_AT_MOST,
        keeping: Keeping = OURS,
    ) -> None:
        """Open the directory, made if need be, and remove what no catalogue knows.

        Due every `every_s` seconds of the clock that `due` is told, or at `rows_at_most` rows
        (22 bytes each; sealing them needs some 100 more for a moment). Raises `InUse`,
        `Unavailable`, `UnknownFormat`, `OtherEnterprise`, `Damaged`.
        """
        self._directory, self._folder = directory, directory / SEGMENTS
        self._enterprise = enterprise
        self._every_ms, self._rows_at_most = to_ms(every_s), rows_at_most
        with disk(directory):
            make_folders(directory)
            self._lock = locked(directory)
        try:
            self._catalogue = Catalogue(directory, enterprise)
            retire(directory, self._catalogue)
            self.removed = tuple(self._remove_unregistered())
        except BaseException:
            self._lock.close()
            raise
        self._keeping = keeping
        self._compactor = Compactor(directory, self._catalogue, enterprise, keeping)
        self._pile = Pile()
        self._coverage: Coverage = {}
        self._sealed_to = self._taken_to = self._catalogue.sealed_to()
        self._newest = self._catalogue.newest()
        self._period_from: int | None = None
        self._failed = False
        self._compacted_at: int | None = None

    def close(self) -> None:
        """Let go of the directory; closing again does nothing.

        What was taken and not sealed is taken again next time.
        """
        self._catalogue.close()
        self._lock.close()

    def sealed_to(self) -> int:
        """Return the position to resume after, 0 at the beginning: all up to it is sealed."""
        return self._sealed_to

    def take(self, pos: int, record: SamplesRecord) -> None:
        """Take a record of the log, real or test; raises `OutOfOrder` if `pos` does not climb."""
        if pos <= self._taken_to:
            raise OutOfOrder(self._taken_to, pos)
        self._pile.add(record)
        note(self._coverage, record)
        self._taken_to = pos

    def due(self, now: int) -> bool:
        """Return whether to seal at `now` (owner's clock, ms UTC): it is time, or memory is full.

        The time runs from the last seal, or from the first question after the start; a clock that
        went back begins anew.
        """
        if self._period_from is None or now < self._period_from:
            self._period_from = now
        waited = now - self._period_from >= self._every_ms
        full = len(self._pile) >= self._rows_at_most
        return full or (waited and self._taken_to > self._sealed_to)

    def seal(self, now: int) -> tuple[Segment, ...]:
        """Seal what was taken; return the new segments, one for each hour and kind.

        Rows behind what is sealed of their point go into a `delta`. After `Unavailable` or
        `Damaged` nothing has been sealed or lost: call it again.
        """
        self._period_from = now
        if self._taken_to == self._sealed_to:
            return ()
        if self._failed:
            # What the failed call may have left must not lie beside what is sealed now.
            self.removed += tuple(self._remove_unregistered())
        self._failed = True
        segments, newest = self._make(now)
        positions = (self._sealed_to, self._taken_to)
        self._catalogue.register(segments, newest, positions, self._coverage)
        self._failed = False
        self._newest |= newest
        self._sealed_to = self._taken_to
        self._pile.clear()
        self._coverage = {}
        return segments

    def compact(self, now: int) -> Compaction:
        """Compact what is due, hours once an hour; let go of what is too old or was replaced.

        After `Unavailable` or `Damaged` what counted before counts still, and sealing goes on.
        """
        turn = (now - SETTLE_MS) // HOUR_MS
        hours = turn != self._compacted_at
        done = self._compactor.run(now, hours=hours)
        if hours:
            expire(self._directory, self._catalogue, self._keeping, now)
        self._compacted_at = turn
        purge(self._directory, self._catalogue, now)
        return done

    def _make(self, now: int) -> tuple[tuple[Segment, ...], dict[str, int]]:
        """Return segments whose files are durable, and the newest instants that they bring."""
        rows = self._settled()
        late = self._is_late(rows)
        fresh = rows.pick(~late)
        kinds: tuple[tuple[Kind, Rows], ...] = (("segment", fresh), ("delta", rows.pick(late)))
        segments = tuple(
            self._write(kind, part.pick(part.at // HOUR_MS == hour), hour, now)
            for kind, part in kinds
            for hour in np.unique(part.at // HOUR_MS).tolist()
        )
        with disk(self._folder):
            sync_directory(self._folder)
        return segments, _newest_of(fresh)

    def _settled(self) -> Rows:
        taken = self._pile.rows()
        late = taken.pick(self._is_late(taken))
        if not len(late):
            return settle(taken, late)
        known = self._catalogue.segments(int(late.at.min()), int(late.at.max()))
        return settle(taken, sealed_at_places_of(late, self._folder, known))

    def _is_late(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which rows are at or behind what is sealed of their point."""
        newest = np.asarray([self._newest.get(name, _NEVER) for name in rows.points], dtype="<i8")
        late: NDArray[np.bool_] = rows.at <= newest[rows.point]
        return late

    def _write(self, kind: Kind, rows: Rows, hour: int, now: int) -> Segment:
        """Make a segment durable under its name; it counts once it is registered."""
        positions = (self._sealed_to + 1, self._taken_to)
        name = f"{kind}-{positions[0]:019d}-{positions[1]:019d}-{hour}.parquet"
        return self._compactor.write(name, rows, kind, positions, (hour, "", now))

    def _remove_unregistered(self) -> Iterator[Problem]:
        """Remove files of ours that do not count; what is not named like ours stays."""
        known = {f"{SEGMENTS}/{one.path}" for one in self._catalogue.segments()}
        known |= {f"{one.kind}/{one.path}" for one in self._catalogue.derived()}
        kept = {retired_path(self._directory, path).name for path in self._catalogue.retired()}
        with disk(self._directory):
            for folder in (SEGMENTS, MINUTES, HELD):
                for path in sorted((self._directory / folder).iterdir()):
                    place = f"{folder}/{path.name}"
                    if _OURS.fullmatch(path.name) and place not in known:
                        path.unlink()
                        yield Problem(place, "history.unregistered_removed")
                sync_directory(self._directory / folder)
            for path in (self._directory / RETIRED).iterdir():
                if path.name not in kept:
                    path.unlink()


def _newest_of(rows: Rows) -> dict[str, int]:
    """Return each point's latest instant; rows are sorted by (point, at)."""
    ends = np.flatnonzero(np.diff(rows.point, append=np.int32(-1)))
    named = (rows.points[place] for place in rows.point[ends].tolist())
    return dict(zip(named, rows.at[ends].tolist(), strict=True))
