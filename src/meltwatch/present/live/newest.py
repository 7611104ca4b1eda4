"""The newest value of every point of an enterprise, in columns: a frame costs a few array steps.

Objects are made only for whoever looks: of what has changed since the last look, or of everything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from meltwatch.model.sample import SampleBatch
from meltwatch.present.live.picture import Latest

_NEVER = -(2**62)
_LAYOUTS = 256
"""How many layouts of batches are remembered; a gateway uses one, or a few."""


class Newest:
    """Points as they were last told; of two samples of one instant the last told counts."""

    def __init__(self) -> None:
        """Begin knowing no point."""
        self._places: dict[PointCode, int] = {}
        self._codes: list[PointCode] = []
        self._at = np.zeros(0, dtype=np.int64)
        self._value = np.zeros(0)
        self._quality = np.zeros(0, dtype=np.uint16)
        self._changed = np.zeros(0, dtype=np.bool_)
        self._layouts: dict[int, tuple[tuple[PointCode, ...], NDArray[np.int64]]] = {}

    def note(self, samples: SampleBatch) -> None:
        """Note the samples that are not older than what is known."""
        if not len(samples):
            return
        at, place = samples.at, self._places_of(samples.layout)[samples.point]
        value, quality = samples.value, samples.quality
        if (at[1:] < at[:-1]).any():  # what is assigned last counts
            order = np.argsort(at, kind="stable")
            at, place, value, quality = at[order], place[order], value[order], quality[order]
        fresh = at >= self._at[place]
        if not fresh.all():
            at, place, value, quality = at[fresh], place[fresh], value[fresh], quality[fresh]
        self._at[place] = at
        self._value[place] = value
        self._quality[place] = quality
        self._changed[place] = True

    def changed(self) -> dict[PointCode, Latest]:
        """Return what has changed since this was asked last."""
        which = np.flatnonzero(self._changed)
        self._changed[:] = False
        return self._told(which)

    def known(self) -> dict[PointCode, Latest]:
        """Return every point that was ever told, and count nothing as changed any more."""
        self._changed[:] = False
        return self._told(np.flatnonzero(self._at != _NEVER))

    def _told(self, which: NDArray[np.int64]) -> dict[PointCode, Latest]:
        value, quality = self._value[which], self._quality[which]
        shown = ((quality & int(Quality.BAD)) == 0) & np.isfinite(value)
        values: list[float | None] = value.tolist()
        for place in np.flatnonzero(~shown).tolist():
            values[place] = None
        codes = self._codes
        return {
            codes[place]: Latest(at, one, bits)
            for place, at, one, bits in zip(
                which.tolist(), self._at[which].tolist(), values, quality.tolist(), strict=True
            )
        }

    def _places_of(self, layout: tuple[PointCode, ...]) -> NDArray[np.int64]:
        """Return where the codes of a layout stand, new ones taken in."""
        known = self._layouts.get(id(layout))
        if known is None:
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            known = layout, np.array([self._place(code) for code in layout], dtype=np.int64)
            self._layouts[id(layout)] = known
            self._grow()
        return known[1]

    def _place(self, code: PointCode) -> int:
        if code not in self._places:
            self._places[code] = len(self._codes)
            self._codes.append(code)
        return self._places[code]

    def _grow(self) -> None:
        more = len(self._codes) - len(self._at)
        if more:
            self._at = np.append(self._at, np.full(more, _NEVER))
            self._value = np.append(self._value, np.zeros(more))
            self._quality = np.append(self._quality, np.zeros(more, dtype=np.uint16))
            self._changed = np.append(self._changed, np.zeros(more, dtype=np.bool_))
