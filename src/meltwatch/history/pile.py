"""What has been taken from the log and is not sealed yet, in columns that grow.

A row costs 22 bytes and a frame some 50 more, however small the frames are: no Python object for
a sample. What is the same for all rows of a frame is kept once a frame.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from meltwatch.history.rows import Places, Rows
from meltwatch.model.ids import PointCode
from meltwatch.model.log import SamplesRecord
from meltwatch.model.quality import Quality

T = TypeVar("T", bound=np.generic)

_LAYOUTS_AT_MOST = 64
_FIRST_CAPACITY = 65_536


class Register:
    """Names in the order in which they first came, each with its place."""

    def __init__(self) -> None:
        """Begin without a name."""
        self.names: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, name: str) -> int:
        """Return the place of a name, a new one if it has none."""
        place = self._places.setdefault(name, len(self.names))
        if place == len(self.names):
            self.names.append(name)
        return place


class Pile:
    """Rows in the log's order; points keep their places over `clear`."""

    def __init__(self) -> None:
        """Begin empty."""
        self.points = Register()
        self._sources = Register()
        self._epochs = Register()
        self._layouts: dict[tuple[PointCode, ...], Places] = {}
        self.clear()

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def clear(self) -> None:
        """Forget the rows, and give back what a large pile took."""
        self._rows = 0
        self._point = np.empty(_FIRST_CAPACITY, "<i4")
        self._at = np.empty(_FIRST_CAPACITY, "<i8")
        self._value = np.empty(_FIRST_CAPACITY, "<f8")
        self._quality = np.empty(_FIRST_CAPACITY, "<u2")
        self._frames: list[tuple[int, int, int, int]] = []
        self._sources, self._epochs = Register(), Register()

    def add(self, record: SamplesRecord) -> None:
        """Put a frame's rows on the pile; those of a test frame are marked so."""
        samples = record.samples
        count = len(samples)
        if not count:
            return
        self._make_room(count)
        mine = slice(self._rows, self._rows + count)
        self._point[mine] = self._places(samples.layout)[samples.point]
        self._at[mine] = samples.at
        self._value[mine] = samples.value
        self._quality[mine] = samples.quality
        if record.mark == "test":
            self._quality[mine] |= np.uint16(Quality.TEST)
        source, epoch = self._sources.place(record.source), self._epochs.place(record.epoch)
        self._frames.append((count, source, epoch, record.seq))
        self._rows += count

    def rows(self) -> Rows:
        """Return the rows in the log's order; the pile keeps them until `clear`."""
        mine = slice(0, self._rows)
        told = np.asarray(self._frames, dtype="<i8").reshape(-1, 4)
        counts = told[:, 0]
        begins = np.repeat(np.cumsum(counts) - counts, counts)
        return Rows(
            points=tuple(self.points.names),
            sources=tuple(self._sources.names),
            epochs=tuple(self._epochs.names),
            point=self._point[mine],
            at=self._at[mine],
            value=self._value[mine],
            quality=self._quality[mine],
            source=np.repeat(told[:, 1].astype("<i4"), counts),
            epoch=np.repeat(told[:, 2].astype("<i4"), counts),
            seq=np.repeat(told[:, 3], counts),
            nth=(np.arange(self._rows) - begins).astype("<i4"),
        )

    def _places(self, layout: tuple[PointCode, ...]) -> Places:
        """Return the places of a layout's points; frames of one source share their layout."""
        found = self._layouts.get(layout)
        if found is None:
            if len(self._layouts) >= _LAYOUTS_AT_MOST:
                self._layouts.clear()
            found = np.asarray([self.points.place(code) for code in layout], dtype="<i4")
            self._layouts[layout] = found
        return found

    def _make_room(self, count: int) -> None:
        need = self._rows + count
        if need <= len(self._at):
            return
        capacity = max(need, 2 * len(self._at))
        self._point = _grown(self._point, capacity)
        self._at = _grown(self._at, capacity)
        self._value = _grown(self._value, capacity)
        self._quality = _grown(self._quality, capacity)


def _grown(column: NDArray[T], capacity: int) -> NDArray[T]:
    grown = np.empty(capacity, column.dtype)
    grown[: len(column)] = column
    return grown
