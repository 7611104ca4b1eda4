"""What history says no with, and what the caller does about it.

    MeltwatchError
    ├── HistoryError
    │   ├── InUse             another sealer writes here: stop it, then open again
    │   ├── Unavailable       the disk or the catalogue failed: nothing sealed, seal again
    │   │   └── NothingYet    a catalogue that its sealer is just making: nothing is sealed
    │   ├── UnknownFormat     written by another version: tell the operator, touch nothing
    │   └── Damaged           a segment is not what was sealed: restore it from a copy
    └── Bug
        ├── OtherEnterprise   the directory holds another enterprise's history
        └── OutOfOrder        a position that was already taken or sealed

After each of them nothing has been sealed that was not, and nothing has been lost.
"""

from __future__ import annotations

from meltwatch.errors import Bug, MeltwatchError


class HistoryError(MeltwatchError):
    """The root of what history raises about the world it lives in."""


class InUse(HistoryError):
    """Another sealer has this directory open: stop it, then open again."""

    def __init__(self, place: str) -> None:
        """Keep the directory that is in use."""
        self.place = place
        super().__init__(f"{place}: a sealer is at work here")


class Unavailable(HistoryError):
    """The disk or the catalogue failed; the rows are still in memory: call `seal` again."""

    def __init__(self, place: str, reason: str) -> None:
        """Keep the place (a file or directory) and the reason in the system's own words."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class NothingYet(Unavailable):
    """A catalogue without a table, which its sealer is just making: read it as empty."""


class UnknownFormat(HistoryError):
    """A file is of another version or another kind: tell the operator, touch nothing."""

    def __init__(self, place: str, found: int, known: int) -> None:
        """Keep the file, the version found (0: no file of ours) and the newest one known."""
        self.place = place
        self.found = found
        self.known = known
        super().__init__(f"{place}: format {found}, this program reads up to {known}")


class Damaged(HistoryError):
    """A segment is missing or not what was sealed: tell the operator, restore it from a copy."""

    def __init__(self, place: str, reason: str) -> None:
        """Keep the place and the reason, in the reader's own words or as a key."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class OtherEnterprise(Bug):
    """A directory holds one enterprise's history, and it is another one's."""

    def __init__(self, place: str, found: str, asked: str) -> None:
        """Keep the directory, whose history it holds and whose was asked for."""
        self.place = place
        self.found = found
        self.asked = asked
        super().__init__(f"{place}: holds {found!r}, asked for {asked!r}")


class OutOfOrder(Bug):
    """A position at or before the last one: going on would seal samples twice."""

    def __init__(self, last: int, asked: int) -> None:
        """Keep the last position and the one that came."""
        self.last = last
        self.asked = asked
        super().__init__(f"at {last}, given {asked}")
