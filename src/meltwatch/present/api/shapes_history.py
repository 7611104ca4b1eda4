"""What the routes of history answer, beside the trend."""

from __future__ import annotations

from typing import Literal

from meltwatch.present.api.shapes import Shape, Value


class Held(Shape, frozen=True, kw_only=True):
    """What points held at an instant (ms UTC); one that never had a value is left out."""

    at: int
    values: dict[str, Value]


class Gap(Shape, frozen=True, kw_only=True):
    """A part `(begins, ends]` of a source's time, ms UTC."""

    source: str
    state: Literal["complete", "lost", "incomplete"]
    begins: int
    ends: int


class GapMap(Shape, frozen=True, kw_only=True):
    """Every source's time in a window without a rest; where the points asked were silent."""

    at_from: int
    at_to: int
    sources: tuple[Gap, ...]
    silent: dict[str, tuple[tuple[int, int], ...]]
