"""What intake must know of a gateway's points to judge rows, taken from one config record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from meltwatch.model.ids import PointCode, SourceId
from meltwatch.model.plant import Plant

Laid = tuple[tuple[PointCode, ...], NDArray[np.int32]]
_ANYTHING = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False, slots=True)
class PointBook:
    """The points of one gateway and whose the others are: made once for each config record.

    `live`: the clock domain is `live`. `places`: each own point's place in `codes`, in `units`
    (the unit that a row may state) and in `low` and `high` (float64, in the point's unit,
    inclusive: outside, a value is uncertain). `of_others`: the gateway that brings each of the
    other points. `laid`: of lists of points that frames came with, each one's place or -1.
    `patterns`: of rows' places as they came, the points in use and the rows' places among them.
    """

    gateway: SourceId
    live: bool
    places: dict[PointCode, int]
    codes: tuple[PointCode, ...]
    units: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    of_others: dict[PointCode, SourceId]
    laid: dict[tuple[PointCode, ...], NDArray[np.int32]] = field(default_factory=dict)
    patterns: dict[bytes, Laid] = field(default_factory=dict)


def book_of(plant: Plant, gateway: SourceId) -> PointBook:
    """Return the book of a gateway that the plant has. Raises KeyError for another one."""
    own = {code: point for code, point in plant.points.items() if point.source == gateway}
    limits = np.array([point.range or _ANYTHING for point in own.values()], dtype=np.float64)
    low, high = limits.reshape(-1, 2).T
    return PointBook(
        gateway=gateway,
        live=plant.sources[gateway].clock == "live",
        places={code: place for place, code in enumerate(own)},
        codes=tuple(own),
        units=tuple(point.unit for point in own.values()),
        low=low.copy(),
        high=high.copy(),
        of_others={c: point.source for c, point in plant.points.items() if c not in own},
    )
