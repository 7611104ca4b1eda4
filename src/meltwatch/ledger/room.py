"""How much room a ledger's disk has, and the reserve that is kept for what must still be written.

Frames are refused while less than the floor is free: their sources keep them. What the node itself
writes (ticks, commands, effects, audit rows) goes on below the floor. For the day on which somebody
else fills the disk to its end there is a reserve, a file of nothing: it is given up then, and made
anew when there is room again. Nothing here knows what is written.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from meltwatch.ledger.database import sync_directory
from meltwatch.ledger.errors import Unavailable

RESERVE = "reserve"
MIB = 1 << 20
MOST_FLOOR, MOST_RESERVE = 256 * MIB, 64 * MIB
FLOOR_SHARE, RESERVE_SHARE = 10, 20
"""Our defaults: 256 MiB and 64 MiB, on a small disk a tenth and a twentieth of it."""
_SLACK_SHARE = 8
"""Frames are taken again when an eighth more than the floor is free: no flapping at the edge."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Below `floor_bytes` free no frame is taken; `reserve_bytes` are kept for the node's own."""

    floor_bytes: int
    reserve_bytes: int


def bounds_of(
    directory: Path, floor_bytes: int | None = None, reserve_bytes: int | None = None
) -> Bounds:
    """Return the bounds for the disk of a directory, our defaults for what is None."""
    told = os.statvfs(directory)
    size = told.f_blocks * told.f_frsize
    return Bounds(
        floor_bytes=min(MOST_FLOOR, size // FLOOR_SHARE) if floor_bytes is None else floor_bytes,
        reserve_bytes=min(MOST_RESERVE, size // RESERVE_SHARE)
        if reserve_bytes is None
        else reserve_bytes,
    )


class Room:
    """The disk of one directory; use in one thread."""

    def __init__(self, directory: Path, bounds: Bounds) -> None:
        """Measure the disk of an existing directory; nothing is reserved before `look`."""
        self.bounds = bounds
        self._directory = directory
        self._path = directory / RESERVE
        self._short = False

    def free_bytes(self) -> int:
        """Return what may still be written, the reserve not counted; raises Unavailable."""
        try:
            told = os.statvfs(self._directory)
        except OSError as error:
            raise Unavailable(str(self._directory), str(error)) from error
        return told.f_bavail * told.f_frsize

    def takes(self, coming_bytes: int = 0) -> bool:
        """Tell whether frames are taken, `coming_bytes` of which are not written yet."""
        floor = self.bounds.floor_bytes
        if self._short:
            floor += floor // _SLACK_SHARE
        self._short = self.free_bytes() - coming_bytes < floor
        return not self._short

    def wanted_bytes(self) -> int:
        """Return how much more must be free for frames to be taken and the reserve to stand."""
        floor = self.bounds.floor_bytes + self.bounds.floor_bytes // _SLACK_SHARE
        reserve = 0 if self.reserved else self.bounds.reserve_bytes
        return max(floor + reserve - self.free_bytes(), 0)

    @property
    def reserved(self) -> bool:
        """Tell whether the reserve stands."""
        return self._path.exists()

    def look(self) -> None:
        """Give the reserve up when the disk is full to its end, make it when there is room.

        Raises Unavailable while the disk cannot be asked.
        """
        size, free = self.bounds.reserve_bytes, self.free_bytes()
        if self.reserved:
            if free < size // 2:
                self._path.unlink(missing_ok=True)
        elif size and free - size > self.bounds.floor_bytes:
            self._make(size)

    def _make(self, size: int) -> None:
        """Take the room really: a file with a hole in it reserves nothing."""
        making = self._path.with_name(f"{RESERVE}.new")
        try:
            with making.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            making.rename(self._path)
            sync_directory(self._directory)
        except OSError:  # somebody was faster: the next look tries again
            with suppress(OSError):
                making.unlink(missing_ok=True)
