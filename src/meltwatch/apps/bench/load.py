"""Frames made and signed before anything is measured, and what they tell, by frame.

The bytes are those of docs/formats/frame.md as anybody's program would write them: JSON rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meltwatch.apps.bench.forms import FORMS, Head
from meltwatch.apps.bench.plant import Expected, Works
from meltwatch.model.ids import SourceId
from meltwatch.transport.epoch import new_epoch
from meltwatch.transport.intake import KEY_HEADER, SIGNATURE_HEADER
from meltwatch.transport.layouts import announcement
from meltwatch.transport.signature import SharedSecret, sign


class Ready(NamedTuple):
    """A request as it goes out, head and body, and how many rows are in it."""

    request: bytes
    rows: int
    complete_to: int


class Lane:
    """One gateway's frames, numbered on from call to call, and what has become of them.

    `begin`: the instant (ms UTC) at which its first frame begins.
    """

    def __init__(
        self, works: Works, gateway: int, begin: int, host: str, form: str = "json"
    ) -> None:
        """Begin an epoch at `begin`, so that a gateway's later lanes are its newer epochs."""
        self.works, self.gateway, self.begin = works, gateway, begin
        self.epoch = new_epoch(begin, None, gateway.to_bytes(8, "big"))
        self.made = 0
        self.acknowledged = 0
        self._name = works.gateway(gateway)
        self._key = SharedSecret(
            gateway=SourceId(self._name), secret=works.secret(gateway).encode()
        )
        self._form = FORMS[form](works.codes(gateway))
        self._cycle = -1
        self._values: NDArray[np.int64] = np.empty(0, np.int64)
        self._head = (
            f"POST /v1/frames HTTP/1.1\r\nHost: {host}\r\nContent-Type: {self._form.media}\r\n"
            f"{KEY_HEADER}: {works.key(gateway)}\r\n"
        )

    def complete_to(self, frames: int) -> int:
        """Return where so many frames lead to, ms UTC."""
        return self.begin + frames * self.works.frame_ms

    def make(self) -> Ready:
        """Make and sign the next frame."""
        works, number = self.works, self.made
        cycle, slot = divmod(number, works.frames_a_cycle)
        if cycle != self._cycle:
            self._cycle, self._values = cycle, works.tenths(self.gateway, cycle)
        mine = works.rows_of_slot(slot)
        complete_to = self.complete_to(number + 1)
        at = complete_to - works.offsets(slot)
        told = Head(self._name, self.epoch, number + 1, self.complete_to(number), complete_to)
        body = self._form.body(told, mine, at, self._values[mine])
        self.made += 1
        head = (
            f"{self._head}{SIGNATURE_HEADER}: {sign(self._key, body)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return Ready(head.encode() + body, len(at), complete_to)

    def announcement(self) -> tuple[bytes, dict[str, str]] | None:
        """Return body and headers of what is to be announced before the first frame, if any."""
        if not self._form.announced:
            return None
        body = announcement(SourceId(self._name), self._form.announced)
        headers = {
            KEY_HEADER: self.works.key(self.gateway),
            SIGNATURE_HEADER: sign(self._key, body),
            "Content-Type": "application/json",
        }
        return body, headers

    # the generator's own ledger

    def told(self, frames: int) -> tuple[int, int]:
        """Return how many samples so many frames tell, and the sum of their values in tenths."""
        cycles, left = divmod(frames, self.works.frames_a_cycle)
        count, total = cycles * self.works.points_a_gateway, 0
        for cycle in range(cycles):
            total += int(self.works.tenths(self.gateway, cycle).sum())
        if left:
            part = self.works.tenths(self.gateway, cycles)[: left * self.works.rows]
            count, total = count + len(part), total + int(part.sum())
        return count, total

    def expected(self, frames: int) -> Iterator[Expected]:
        """Yield the occurrences that so many frames lead to."""
        return self.works.expected(self.gateway, self.begin, frames)


def lanes_of(works: Works, begin: int, host: str, form: str = "json") -> list[Lane]:
    """Return a lane for every gateway, all of which begin at one instant (ms UTC)."""
    return [Lane(works, gateway, begin, host, form) for gateway in range(works.gateways)]


def frames_of(lanes: Sequence[Lane], each: int) -> list[list[Ready]]:
    """Return so many frames of each lane."""
    return [[lane.make() for _ in range(each)] for lane in lanes]
