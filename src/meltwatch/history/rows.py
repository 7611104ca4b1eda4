"""Rows of samples in columns, each with the place in the log's frames that it came from.

What the rooms of history hand to each other. Text is kept once in a dictionary and named by its
place there; nothing here knows of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Names = tuple[str, ...]
Places = NDArray[np.int32]


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """n rows; every array has shape (n,).

    `at`: ms UTC; `value`: in the point's unit; `quality`: bits of `Quality`. `point`, `source` and
    `epoch` are places in `points`, `sources` and `epochs`. `seq` is the frame's number and `nth`
    the row's place in its frame, from 0: (epoch, seq, nth) orders by when the source sent it.
    """

    points: Names
    sources: Names
    epochs: Names
    point: Places
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]
    source: Places
    epoch: Places
    seq: NDArray[np.int64]
    nth: Places

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.at)

    def pick(self, which: NDArray[Any]) -> Rows:
        """Return the rows of a mask or of an array of places, in that order."""
        picked = {name: getattr(self, name)[which] for name in COLUMNS}
        return msgspec.structs.replace(self, **picked)

    def tidy(self) -> Rows:
        """Return the same rows with each dictionary sorted and holding only what is used."""
        points, point = _tidy(self.points, self.point)
        sources, source = _tidy(self.sources, self.source)
        epochs, epoch = _tidy(self.epochs, self.epoch)
        return msgspec.structs.replace(
            self,
            points=points,
            point=point,
            sources=sources,
            source=source,
            epochs=epochs,
            epoch=epoch,
        )


COLUMNS = ("point", "at", "value", "quality", "source", "epoch", "seq", "nth")
DTYPES = {
    "point": "<i4",
    "at": "<i8",
    "value": "<f8",
    "quality": "<u2",
    "source": "<i4",
    "epoch": "<i4",
    "seq": "<i8",
    "nth": "<i4",
}


def no_rows() -> Rows:
    """Return rows without any row."""
    empty: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in DTYPES.items()}
    return Rows(points=(), sources=(), epochs=(), **empty)


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after the other, over common dictionaries."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return no_rows()
    points, point = _common([(part.points, part.point) for part in parts])
    sources, source = _common([(part.sources, part.source) for part in parts])
    epochs, epoch = _common([(part.epochs, part.epoch) for part in parts])
    plain = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("at", "value", "quality", "seq", "nth")
    }
    return Rows(
        points=points,
        sources=sources,
        epochs=epochs,
        point=point,
        source=source,
        epoch=epoch,
        **plain,
    )


def places_in(names: Iterable[str], known: dict[str, int]) -> Places:
    """Return each name's place among the known ones, -1 for one that is not there."""
    return np.asarray([known.get(name, -1) for name in names], dtype="<i4")


def _tidy(names: Names, places: Places) -> tuple[Names, Places]:
    used = np.flatnonzero(np.bincount(places, minlength=len(names)))
    ordered = sorted(used.tolist(), key=names.__getitem__)
    moved = np.full(len(names), -1, dtype="<i4")
    moved[ordered] = np.arange(len(ordered), dtype="<i4")
    return tuple(names[old] for old in ordered), moved[places]


def _common(parts: list[tuple[Names, Places]]) -> tuple[Names, Places]:
    known: dict[str, int] = {}
    for names, _ in parts:
        for name in names:
            known.setdefault(name, len(known))
    moved = [places_in(names, known)[places] for names, places in parts]
    return tuple(known), np.concatenate(moved)
