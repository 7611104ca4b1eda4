"""Whose frame is written next: gateways take turns, live before back-fill. Pure.

A gateway that floods fills its own part and nobody else's: it is refused (Busy) while others are
still taken in. What was taken in keeps its order within a gateway's live and back-fill frames.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, NamedTuple, TypeVar

import msgspec

from meltwatch.model.ids import SourceId

T = TypeVar("T")


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait, in all and of one gateway: frames, and bytes of their bodies.

    A gateway of which nothing waits is let in beyond `frames` and `bytes`, up to twice as much.
    """

    frames: int = 512
    bytes: int = 64 * 1024 * 1024
    frames_of_one: int = 64
    bytes_of_one: int = 16 * 1024 * 1024


class Fill(NamedTuple):
    """How much waits."""

    frames: int
    bytes: int


_NONE = Fill(0, 0)
_Queues = OrderedDict[SourceId, "deque[tuple[T, int]]"]


class Turns(Generic[T]):
    """What waits, and the order in which it is taken out."""

    def __init__(self, room: Room | None = None) -> None:
        """Begin with nothing."""
        self.room = room or Room()
        self.fill = _NONE
        self._of: dict[SourceId, Fill] = {}
        self._live: _Queues[T] = OrderedDict()
        self._older: _Queues[T] = OrderedDict()

    def __len__(self) -> int:
        """Return how many wait."""
        return self.fill.frames

    def has_room(self, gateway: SourceId, size: int) -> bool:
        """Tell whether a frame of so many bytes may wait now."""
        room, own = self.room, self._of.get(gateway)
        frames, told = self.fill.frames + 1, self.fill.bytes + size
        if own is None:
            return frames <= 2 * room.frames and told <= 2 * room.bytes
        return (
            frames <= room.frames
            and told <= room.bytes
            and own.frames < room.frames_of_one
            and own.bytes + size <= room.bytes_of_one
        )

    def put(self, gateway: SourceId, one: T, size: int, *, live: bool) -> None:
        """Let a frame wait, whether there is room or not."""
        queues = self._live if live else self._older
        queues.setdefault(gateway, deque()).append((one, size))
        self._count(gateway, 1, size)

    def take(self, most: int) -> list[T]:
        """Take out up to so many: a frame of each gateway in turn, the live ones first.

        One place is left for back-fill whenever some waits, so that it is slow and never stands.
        """
        taken = self._rounds(self._live, max(most - bool(self._older), 0))
        taken += self._rounds(self._older, most - len(taken))
        return taken + self._rounds(self._live, most - len(taken))

    def _rounds(self, queues: _Queues[T], most: int) -> list[T]:
        taken: list[T] = []
        while queues and len(taken) < most:
            gateway, queue = queues.popitem(last=False)
            one, size = queue.popleft()
            if queue:
                queues[gateway] = queue  # its next turn comes after all others'
            self._count(gateway, -1, -size)
            taken.append(one)
        return taken

    def _count(self, gateway: SourceId, frames: int, size: int) -> None:
        self.fill = Fill(self.fill.frames + frames, self.fill.bytes + size)
        own = self._of.get(gateway, _NONE)
        if own.frames + frames:
            self._of[gateway] = Fill(own.frames + frames, own.bytes + size)
        else:
            del self._of[gateway]
