"""What a frame says of instants that were complete already: nothing new, or a correction.

Stands before an island takes the frame. Equal values at one instant are one sample and change
nothing; whatever else comes for a complete instant is a correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.evaluate.kept import Kept
from meltwatch.model.ids import PointCode
from meltwatch.model.log import Interval, SamplesRecord
from meltwatch.model.quality import Quality

Place = tuple[PointCode, int]
"""A point and an instant."""


class Corrections(msgspec.Struct):
    """What is corrected: before the anchor (`too_old`), behind `sure`, or beyond it."""

    too_old: list[Place] = []
    sure: bool = False
    beyond: bool = False


def corrections_of(
    record: SamplesRecord,
    covered: Sequence[Interval],
    *,
    oldest: int,
    sure: int,
    kept: Iterable[Kept],
) -> Corrections:
    """Return what a frame corrects of its source.

    `covered`: what was complete; `oldest`: the anchor's instant, `sure`: how far complete samples
    have decided; `kept`: the samples since the anchor, in the order they came.
    """
    at = record.samples.at
    found = Corrections()
    late = _within(at, covered) | (at <= oldest)
    if not late.any():
        return found
    rows = list(record.samples.rows())
    told = [rows[place] for place in np.flatnonzero(late).tolist()]
    found.too_old = [(code, at) for code, at, _, _ in told if at <= oldest]
    known = _known(kept, {(code, at) for code, at, _, _ in told})
    for code, instant, value, quality in told:
        if instant > oldest and _changes(known.get((code, instant), []), value, quality):
            if instant <= sure:
                found.sure = True
            else:
                found.beyond = True
    return found


def _within(at: NDArray[np.int64], covered: Sequence[Interval]) -> NDArray[np.bool_]:
    """Return which instants lie in some interval."""
    found = np.zeros(len(at), dtype=np.bool_)
    if len(at) and covered and int(at.min()) <= covered[-1][1]:
        for start, end in covered:
            found |= (at > start) & (at <= end)
    return found


def _known(kept: Iterable[Kept], wanted: set[Place]) -> dict[Place, list[tuple[float, int]]]:
    """Return the (value, quality) told of some places, in the order they came."""
    least, greatest = min(at for _, at in wanted), max(at for _, at in wanted)
    known: dict[Place, list[tuple[float, int]]] = {}
    for one in kept:
        if one.last < least or one.first > greatest:
            continue
        for code, at, value, quality in one.samples.rows():
            if (code, at) in wanted:
                known.setdefault((code, at), []).append((value, quality))
    return known


def _changes(known: Sequence[tuple[float, int]], value: float, quality: int) -> bool:
    """Return whether a sample says something that its equals of one instant do not."""
    equal = [grade for other, grade in known if other == value]
    last = known[-1][0] if known else None
    return last != value or (
        not quality & Quality.BAD and all(grade & Quality.BAD for grade in equal)
    )
