"""How a frame's rows are written: the forms of the wire that a load can be made in.

Whoever gives the wire another form adds it to `FORMS`: `meltwatch bench columns` then compares it
with JSON rows in one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.transport.layouts import layout_of

_TEXTS = [f"{tenths / 10:.1f}" for tenths in range(1_001)]


class Head(msgspec.Struct, frozen=True):
    """A frame's own fields; instants in ms UTC."""

    gateway: str
    epoch: str
    seq: int
    complete_from: int
    complete_to: int


class Form(Protocol):
    """One gateway's writer of bodies."""

    media: str
    announced: Sequence[str]
    """The points to announce before the first frame; none: frames tell them themselves."""

    def body(
        self, head: Head, points: slice, at: NDArray[np.int64], tenths: NDArray[np.int64]
    ) -> bytes:
        """Return a frame's body; `points`: which of the gateway's points the rows are of."""
        ...


class JsonRows:
    """Rows as anybody's program writes them (docs/formats/frame.md)."""

    media = "application/json"
    announced: Sequence[str] = ()

    def __init__(self, codes: Sequence[str]) -> None:
        """Write for a gateway with these points."""
        self._prefixes = [f'["{code}",' for code in codes]

    def body(
        self, head: Head, points: slice, at: NDArray[np.int64], tenths: NDArray[np.int64]
    ) -> bytes:
        """Return a frame's body."""
        told = (
            f"{prefix}{instant},{_TEXTS[value]}]"
            for prefix, instant, value in zip(
                self._prefixes[points], at.tolist(), tenths.tolist(), strict=True
            )
        )
        return (
            f'{{"v":1,"gateway":"{head.gateway}","epoch":"{head.epoch}","seq":{head.seq},'
            f'"mark":"real","complete_from":{head.complete_from},'
            f'"complete_to":{head.complete_to},"layout":null,"lost":[],"rows":[{",".join(told)}]}}'
        ).encode()


class JsonColumns:
    """Columns over an announced list of points, as our gateways write them, not compressed."""

    media = "application/json"

    def __init__(self, codes: Sequence[str]) -> None:
        """Write for a gateway with these points."""
        self.announced: Sequence[str] = tuple(codes)
        self._layout = layout_of(self.announced)

    def body(
        self, head: Head, points: slice, at: NDArray[np.int64], tenths: NDArray[np.int64]
    ) -> bytes:
        """Return a frame's body."""
        places = range(len(self.announced))[points]
        values = (_TEXTS[value] for value in tenths.tolist())
        return (
            f'{{"v":2,"gateway":"{head.gateway}","epoch":"{head.epoch}","seq":{head.seq},'
            f'"mark":"real","complete_from":{head.complete_from},'
            f'"complete_to":{head.complete_to},"layout":"{self._layout}","lost":[],'
            f'"columns":{{"point":[{",".join(map(str, places))}],'
            f'"at":[{",".join(map(str, at.tolist()))}],"value":[{",".join(values)}]}}}}'
        ).encode()


FORMS: dict[str, Callable[[Sequence[str]], Form]] = {"json": JsonRows, "columns": JsonColumns}
