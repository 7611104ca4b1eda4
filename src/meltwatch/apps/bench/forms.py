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

    def body(
        self, head: Head, points: slice, at: NDArray[np.int64], tenths: NDArray[np.int64]
    ) -> bytes:
        """Return a frame's body; `points`: which of the gateway's points the rows are of."""
        ...


class JsonRows:
    """Rows as anybody's program writes them (docs/formats/frame.md)."""

    media = "application/json"

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


FORMS: dict[str, Callable[[Sequence[str]], Form]] = {"json": JsonRows}
