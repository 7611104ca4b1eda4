"""Rows already sealed at the places of late ones: what a repeat or a correction is measured by.

Reads only what may hold such a place: segments by their instants, row groups by the instants and
points of their statistics. What is returned is no more than the late rows themselves and what was
kept beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.history.catalogue import Segment
from meltwatch.history.disk import open_parquet
from meltwatch.history.rows import COLUMNS, Rows, joined, places_in
from meltwatch.history.segment import read_facts, rows_of


def sealed_at_places_of(late: Rows, folder: Path, segments: Sequence[Segment]) -> Rows:
    """Return the sealed rows at the (point, at) of late ones, in the order of the segments.

    `folder` holds the segments' files. Raises `Damaged`, `UnknownFormat`.
    """
    if not len(late):
        return joined([])
    asked = _Asked.of(late)
    found: list[Rows] = []
    for segment in segments:
        if asked.reaches_into(segment.at_from, segment.at_to):
            found += _matching(folder / segment.path, asked)
    return joined(found)


class _Asked(msgspec.Struct, frozen=True):
    """Places that are looked for: instants ascending, and (point, instant) as one number each.

    Built from places in `ats`, not from the instants, so that no instant makes it overflow.
    """

    points: dict[str, int]
    ats: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, late: Rows) -> _Asked:
        late = late.tidy()
        ats = np.unique(late.at)
        nth_at = np.searchsorted(ats, late.at)
        points = {name: place for place, name in enumerate(late.points)}
        return cls(points, ats, np.unique(late.point.astype("<i8") * len(ats) + nth_at))

    def reaches_into(self, at_from: int, at_to: int) -> bool:
        """Return whether some instant lies in `[at_from, at_to]`."""
        return bool(
            np.searchsorted(self.ats, at_from) < np.searchsorted(self.ats, at_to, side="right")
        )

    def among(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which of the rows are at a place that is looked for."""
        point = places_in(rows.points, self.points)[rows.point].astype("<i8")
        nth_at = np.minimum(np.searchsorted(self.ats, rows.at), len(self.ats) - 1)
        place = point * len(self.ats) + nth_at
        near = np.minimum(np.searchsorted(self.places, place), len(self.places) - 1)
        hit: NDArray[np.bool_] = (
            (point >= 0) & (self.ats[nth_at] == rows.at) & (self.places[near] == place)
        )
        return hit


def _matching(path: Path, asked: _Asked) -> Iterator[Rows]:
    with open_parquet(path) as file:
        read_facts(file.metadata, str(path))
        for group in range(file.num_row_groups):
            if _may_hold(file.metadata.row_group(group), asked):
                rows = rows_of(file.read_row_group(group, columns=list(COLUMNS)))
                hit = asked.among(rows)
                if hit.any():
                    yield rows.pick(hit).tidy()


def _may_hold(group: Any, asked: _Asked) -> bool:
    """Return whether the statistics of a row group leave room for a place that is looked for."""
    told = {
        column.path_in_schema: column.statistics
        for column in (group.column(index) for index in range(group.num_columns))
        if column.path_in_schema in {"point", "at"}
    }
    at, point = told["at"], told["point"]
    if at is not None and at.has_min_max and not asked.reaches_into(at.min, at.max):
        return False
    if point is None or not point.has_min_max:
        return True
    return any(point.min <= name <= point.max for name in asked.points)
