"""What a source has told and no frame holds yet. Pure.

Between a source and the outbox. Frames are cut from it; what could not be stored is put back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from meltwatch.model.log import Interval
from meltwatch.model.sample import Row


class Told(Protocol):
    """Rows, and the interval `(complete_from, complete_to]`, ms UTC, for which no more will come.

    `gap`: nothing joins it to what came before. `lost`: intervals whose data the source has lost.
    A source may have `originals` too: by a row's place, its own time that `at` stands in for.
    """

    @property
    def rows(self) -> Sequence[Row]: ...  # noqa: D102  # as the class says
    @property
    def complete_from(self) -> int: ...  # noqa: D102
    @property
    def complete_to(self) -> int: ...  # noqa: D102
    @property
    def gap(self) -> bool: ...  # noqa: D102
    @property
    def lost(self) -> Sequence[Interval]: ...  # noqa: D102


class Cut(NamedTuple):
    """What one frame is to say: rows, the interval that it completes, what is lost.

    `originals`: by a row's place, the source's own time, ms UTC, that its `at` stands in for.
    """

    rows: list[Row]
    complete_from: int
    complete_to: int
    lost: tuple[Interval, ...]
    originals: Mapping[int, int] = {}


class Pending:
    """The rows of one run that wait for a frame."""

    def __init__(self, most_rows: int) -> None:
        """Hold so many rows at most; beyond that they are lost, and told so."""
        self.rows: list[Row] = []
        self._lost: list[Interval] = []
        self._originals: dict[int, int] = {}
        self._from: int | None = None
        self._to = 0
        self._most_rows = most_rows

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing that a frame could say."""
        return not (self.rows or self._lost) and (self._from is None or self._from == self._to)

    def joins(self, told: Told) -> bool:
        """Tell whether a batch continues what came before it; the first one does."""
        return self._from is None or (told.complete_from == self._to and not told.gap)

    def begin(self) -> None:
        """Let the next batch begin anew, behind a gap; all before it has been cut."""
        self._from = None

    def take(self, told: Told) -> int:
        """Add a batch that joins; return how many rows were lost for want of room.

        What is lost is told with the whole interval that it was waiting for.
        """
        if self._from is None:
            self._from = told.complete_from
        self._to = told.complete_to
        self._lost.extend(told.lost)
        before = len(self.rows)
        self.rows.extend(told.rows)
        originals: Mapping[int, int] = getattr(told, "originals", {})
        self._originals |= {before + row: at for row, at in originals.items()}
        if len(self.rows) <= self._most_rows:
            return 0
        lost = len(self.rows)
        self.rows.clear()
        self._originals.clear()
        if self._to > self._from:
            self._lost.append((self._from, self._to))
        return lost

    def cut(self, most_rows: int) -> Cut:
        """Take out what one frame can hold; only the last of several completes the interval."""
        assert self._from is not None
        start, end, lost = self._from, self._to, tuple(self._lost)
        rows, rest = self.rows[:most_rows], self.rows[most_rows:]
        if rest:
            end, lost = start, ()
        else:
            self._lost = []
        self.rows, self._from = rest, end
        told, count = self._originals, len(rows)
        self._originals = {row - count: at for row, at in told.items() if row >= count}
        originals = {row: at for row, at in told.items() if row < count}
        return Cut(rows, start, end, lost, originals)

    def put_back(self, cut: Cut) -> None:
        """Take back what could not be stored; since then batches may have come."""
        self.rows[:0] = cut.rows
        count = len(cut.rows)
        moved = {row + count: at for row, at in self._originals.items()}
        self._originals = {**cut.originals, **moved}
        self._lost[:0] = cut.lost
        self._from = cut.complete_from
