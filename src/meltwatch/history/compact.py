"""Compaction: the small segments of an hour become one, with its roll-ups and what was held.

    hours   every finished hour that has files not compacted: rows of all its files brought
            together, sorted, one file a class; roll-ups and held values beside them
    merges  many small segments of the hour that still runs become one of them

All files of an hour are replaced in one transaction of the catalogue; those replaced are kept in
`retired/` until nobody can be reading them. Rows that come late for an hour lie in deltas, and the
hour is made anew from its file and them: bringing rows together twice changes nothing
(decision 0012). A kill at any instant leaves the old files counting, or the new ones.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from meltwatch.history import held, minutes
from meltwatch.history.catalogue import HOUR_MS, Catalogue, Change, Derived, Kind, Segment
from meltwatch.history.disk import (
    HELD,
    MINUTES,
    SEGMENTS,
    disk,
    open_parquet,
    retired_path,
    sync_directory,
    write_durably,
)
from meltwatch.history.keeping import OURS, Keeping
from meltwatch.history.read import read_segment
from meltwatch.history.rows import Rows, joined
from meltwatch.history.ruling import ruling
from meltwatch.history.segment import digest_of_bytes, encode, facts_of
from meltwatch.history.settle import merged
from meltwatch.model.ids import EnterpriseId

SETTLE_MS = 300_000
"""How long after its end an hour is compacted: most of what is late has come by then."""
MERGE_AT = 12
"""How many small segments of a running hour are merged: a window opens no more than these."""
AT_ONCE = 3_000_000
"""Rows brought together at once; more are taken in strips of points."""
GRACE_MS = 600_000
"""How long a replaced file stays for whoever is reading it."""


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has done: hours made (since 1970), files merged, rows dropped as too old."""

    hours: tuple[int, ...] = ()
    merges: int = 0
    dropped: int = 0


class Compactor:
    """Compacts one enterprise's directory; the caller holds the sealer's lock and the catalogue."""

    def __init__(
        self,
        directory: Path,
        catalogue: Catalogue,
        enterprise: EnterpriseId,
        keeping: Keeping = OURS,
    ) -> None:
        """Keep where it works."""
        self._directory, self._folder = directory, directory / SEGMENTS
        self._catalogue, self._enterprise = catalogue, enterprise
        self._keeping = keeping

    def run(self, now: int, *, hours: bool = True) -> Compaction:
        """Compact what is due at `now` (owner's clock, ms UTC); `hours` False: only merges.

        Raises `Unavailable`, `Damaged`, `UnknownFormat`: what counted before counts still.
        """
        if hours:
            self._split_old(now)
        made: list[int] = []
        merges = dropped = 0
        for hour, files in self._catalogue.open_hours():
            if hour is None:
                continue  # of version 1: its turn comes with the hours
            if (hour + 1) * HOUR_MS + SETTLE_MS <= now:
                if hours:
                    dropped += self._compact(hour, now)
                    made.append(hour)
            elif files >= MERGE_AT:
                merges += self._merge(hour, now)
        return Compaction(hours=tuple(made), merges=merges, dropped=dropped)

    def _split_old(self, now: int) -> None:
        """Let each file of version 1, which may hold several hours, become one for each of them."""
        for old in self._catalogue.of_hour(None):
            _, rows = read_segment(self._folder / old.path)
            of = rows.at // HOUR_MS
            new = [
                self.write(
                    f"{old.kind}-{old.pos_from:019d}-{old.pos_to:019d}-{hour}.parquet",
                    rows.pick(of == hour),
                    old.kind,
                    (old.pos_from, old.pos_to),
                    (hour, "", old.sealed_at),
                )
                for hour in np.unique(of).tolist()
            ]
            self._replace(Change(segments=new, gone=[old.path]), now)

    def _merge(self, hour: int, now: int) -> int:
        """Merge the small segments of a running hour; deltas stay as they are."""
        files = [one for one in self._catalogue.of_hour(hour) if one.kind == "segment"]
        if len(files) < MERGE_AT:
            return 0
        rows = merged([read_segment(self._folder / one.path)[1] for one in files])
        positions = min(one.pos_from for one in files), max(one.pos_to for one in files)
        name = f"segment-{positions[0]:019d}-{positions[1]:019d}-{hour}.parquet"
        new = self.write(name, rows, "segment", positions, (hour, "", now))
        self._replace(Change(segments=[new], gone=[one.path for one in files]), now)
        return 1

    def _compact(self, hour: int, now: int) -> int:
        """Make an hour of all its files; return the number of rows that were too old to keep."""
        files = self._catalogue.of_hour(hour)
        rolled_before = {
            one.class_: one for one in self._catalogue.derived(hour, hour) if one.kind == "minutes"
        }
        # Without its rows a roll-up cannot be made anew: late ones come too late for it.
        expired = rolled_before.keys() - {one.class_ for one in files if one.kind == "hour"}
        classes = self._classes(files)
        change = Change(gone=[one.path for one in files if one.class_ not in expired])
        change.gone_derived = [
            ("minutes", one.path) for name, one in rolled_before.items() if name not in expired
        ]
        rolled = [self._read_minutes(one) for name, one in rolled_before.items() if name in expired]
        dropped, generation = 0, self._catalogue.generation() + 1
        for name, points in sorted(classes.items()):
            if name in expired:
                late = [one for one in files if one.kind != "hour"]
                dropped += sum(len(_only(self._read(one), points)) for one in late)
                continue
            rows = self._brought_together(files, sorted(points))
            positions = min(one.pos_from for one in files), max(one.pos_to for one in files)
            path, place = f"hour-{hour}-{name}-{generation}.parquet", (hour, name, now)
            change.segments.append(self.write(path, rows, "hour", positions, place))
            rolled.append(minutes.minutes_of(ruling(rows)))
            change.derived.append(self._write_minutes(rolled[-1], (hour, name, generation), now))
        self._hold(change, hour, rolled, now)
        self._replace(change, now)
        return dropped

    def _classes(self, files: list[Segment]) -> dict[str, set[str]]:
        """Return for each class its points among those of the files."""
        found: dict[str, set[str]] = {}
        for file in files:
            with open_parquet(self._folder / file.path) as parquet:
                column = parquet.read(columns=["point"], use_threads=False).column("point")
                for point in column.unify_dictionaries().chunk(0).dictionary.to_pylist():
                    found.setdefault(self._keeping.class_of(point), set()).add(point)
        return found

    def _brought_together(self, files: list[Segment], points: list[str]) -> Rows:
        """Return the rows of some points, settled; taken in strips of points if they are many."""
        strips = max(1, -(-sum(one.rows for one in files) // AT_ONCE))
        each = -(-len(points) // strips)
        parts = []
        for begin in range(0, len(points), each):
            strip = set(points[begin : begin + each])
            parts.append(merged([_only(self._read(one), strip) for one in files]))
        return joined(parts)

    def _read(self, segment: Segment) -> Rows:
        return read_segment(self._folder / segment.path)[1]

    def write(
        self,
        name: str,
        rows: Rows,
        kind: Kind,
        positions: tuple[int, int],
        place: tuple[int | None, str, int],
    ) -> Segment:
        """Make a segment durable under its name; it counts once it is registered.

        `place`: its hour, class and when (ms UTC) it was sealed.
        """
        rows = rows.tidy()
        facts = facts_of(rows, enterprise=self._enterprise, kind=kind, positions=positions)
        data = encode(rows, facts)
        with disk(self._folder):
            write_durably(self._folder / name, data)
        return Segment(
            path=name,
            kind=kind,
            hour=place[0],
            class_=place[1],
            pos_from=facts.pos_from,
            pos_to=facts.pos_to,
            at_from=facts.at_from,
            at_to=facts.at_to,
            rows=facts.rows,
            digest=facts.digest,
            bytes=len(data),
            file_digest=digest_of_bytes(data),
            sealed_at=place[2],
        )

    def _write_minutes(
        self, rolled: minutes.Minutes, place: tuple[int, str, int], now: int
    ) -> Derived:
        hour, class_, generation = place
        data = minutes.encode(rolled, self._enterprise)
        name = f"{hour}-{class_}-{generation}.parquet"
        with disk(self._directory):
            write_durably(self._directory / MINUTES / name, data)
        return Derived(
            path=name,
            kind="minutes",
            hour=hour,
            class_=class_,
            rows=len(rolled),
            bytes=len(data),
            file_digest=digest_of_bytes(data),
            made_at=now,
        )

    def _hold(self, change: Change, hour: int, rolled: list[minutes.Minutes], now: int) -> None:
        """Add what is held at the hour's start, and at later ones as far as that changes them."""
        kept = self._read_held(self._catalogue.held(hour))
        former = self._catalogue.held(hour - 1)
        after = self._after(former.hour, self._read_held(former)) if former else held.nothing_held()
        generation = self._catalogue.generation() + 1
        own = self._catalogue.held(hour)
        if own is None or own.hour != hour or not kept.same(after):
            self._put_held(change, (hour, generation), after, own, now)
        for one in rolled:
            after = held.after_minutes(after, one)
        later = self._catalogue.held(hour, after=True)
        while later is not None and not self._read_held(later).same(after):
            self._put_held(change, (later.hour, generation), after, later, now)
            after = self._after(later.hour, after)
            later = self._catalogue.held(later.hour, after=True)

    def _put_held(
        self,
        change: Change,
        place: tuple[int, int],
        what: held.Held,
        old: Derived | None,
        now: int,
    ) -> None:
        hour, generation = place
        data = held.encode(what, self._enterprise)
        name = f"{hour}-{generation}.parquet"
        with disk(self._directory):
            write_durably(self._directory / HELD / name, data)
        change.derived.append(
            Derived(
                path=name,
                kind="held",
                hour=hour,
                class_="",
                rows=len(what),
                bytes=len(data),
                file_digest=digest_of_bytes(data),
                made_at=now,
            )
        )
        if old is not None and old.hour == hour:
            change.gone_derived.append(("held", old.path))

    def _after(self, hour: int, before: held.Held) -> held.Held:
        """Return what is held after a compacted hour."""
        for one in self._catalogue.derived(hour, hour):
            if one.kind == "minutes":
                before = held.after_minutes(before, self._read_minutes(one))
        return before

    def _read_minutes(self, one: Derived) -> minutes.Minutes:
        with open_parquet(self._directory / MINUTES / one.path, ["point"]) as file:
            return minutes.decode(file.read(use_threads=False))

    def _read_held(self, one: Derived | None) -> held.Held:
        if one is None:
            return held.nothing_held()
        with open_parquet(self._directory / HELD / one.path, []) as file:
            return held.decode(file.read(use_threads=False))

    def _replace(self, change: Change, now: int) -> None:
        with disk(self._directory):
            for folder in (SEGMENTS, MINUTES, HELD):
                sync_directory(self._directory / folder)
        self._catalogue.replace(change, now)
        retire(self._directory, self._catalogue)


def retire(directory: Path, catalogue: Catalogue) -> None:
    """Move what no longer counts out of the readers' way; what was moved already stays."""
    with disk(directory):
        for path in catalogue.retired():
            if (directory / path).exists():
                (directory / path).rename(retired_path(directory, path))


def purge(directory: Path, catalogue: Catalogue, now: int) -> int:
    """Remove the files that were replaced longer ago than anybody reads; return how many."""
    due = [path for path, since in catalogue.retired().items() if since <= now - GRACE_MS]
    with disk(directory):
        for path in due:
            retired_path(directory, path).unlink(missing_ok=True)
    if due:
        catalogue.forget_retired(due)
    return len(due)


def _only(rows: Rows, points: set[str]) -> Rows:
    if points.issuperset(rows.points):
        return rows
    wanted = np.asarray([name in points for name in rows.points], dtype=np.bool_)
    return rows.pick(wanted[rows.point])
