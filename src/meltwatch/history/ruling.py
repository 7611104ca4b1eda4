"""The real samples that rule their places: what a point was, as screens and roll-ups see it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.history.rows import Rows
from meltwatch.model.quality import Quality


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """n samples, one for each (point, at), in that order; every array has shape (n,).

    `at`: ms UTC. `value`: as sent, of a bad sample too; `quality`: bits of `Quality`.
    """

    points: tuple[str, ...]
    point: NDArray[np.int32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.at)

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Return which samples set the point's value."""
        good: NDArray[np.bool_] = (self.quality & np.uint16(Quality.BAD)) == 0
        return good & ~np.isnan(self.value)

    def pick(self, which: NDArray[Any]) -> Ruling:
        """Return the samples of a mask or of places, in that order."""
        names = ("point", "at", "value", "quality")
        picked = {name: getattr(self, name)[which] for name in names}
        return msgspec.structs.replace(self, **picked)

    def of(self, point: str) -> Ruling:
        """Return the samples of one point; none if there is no such one."""
        if point not in self.points:
            return self.pick(np.zeros(len(self), dtype=np.bool_))
        return self.pick(self.point == self.points.index(point))


def ruling(rows: Rows) -> Ruling:
    """Return what rules of settled rows: of several values at a place the last one stands last."""
    rules = (rows.quality & np.uint16(Quality.TEST)) == 0
    last = np.ones(len(rows), dtype=np.bool_)
    last[:-1] = (rows.point[1:] != rows.point[:-1]) | (rows.at[1:] != rows.at[:-1])
    # Test rows of a place come behind its real ones.
    last[:-1] |= rules[:-1] & ~rules[1:]
    told = rows.pick(rules & last)
    return Ruling(
        points=told.points,
        point=told.point,
        at=told.at,
        value=told.value,
        quality=told.quality,
    )
