"""What the ledger says no with, and what the caller does about it.

    MeltwatchError
    ├── LedgerError
    │   ├── Unavailable       outcome unknown: retry the same call
    │   ├── InUse             another process writes here: stop it, then open again
    │   ├── Truncated         retention has removed what was asked for: start at `first`
    │   ├── Fenced            another owner has taken over: drop the state, stop or acquire again
    │   ├── UnknownFormat     written by another version: tell the operator, touch nothing
    │   └── Damaged           a file is not sound: tell the operator, restore it from a copy
    └── Bug
        ├── MalformedEntry    an entry that transport should have refused
        └── OutOfOrder        a commit or a checkpoint that the owner should not have asked for

A gap and a conflict are no errors: they are outcomes of `Stream.append`, one for each entry.
"""

from __future__ import annotations

from meltwatch.errors import Bug, MeltwatchError


class LedgerError(MeltwatchError):
    """The root of what a home of the ledger raises about the world it lives in."""


class Unavailable(LedgerError):
    """The disk is full, locked or failing and the outcome is unknown: retry the same call."""

    def __init__(self, place: str, reason: str) -> None:
        """Keep the place (a file or directory) and the reason in the store's own words."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class InUse(LedgerError):
    """Another process has this ledger open for writing: stop it, then open again."""

    def __init__(self, place: str) -> None:
        """Keep the directory that is in use."""
        self.place = place
        super().__init__(f"{place}: open for writing elsewhere")


class Truncated(LedgerError):
    """Retention has removed entries after the asked position: start again at `first`."""

    def __init__(self, partition: str, after: int, first: int) -> None:
        """Keep what was asked and `first`: reading after `first - 1` is possible."""
        self.partition = partition
        self.after = after
        self.first = first
        super().__init__(f"{partition}: nothing is kept before {first}, asked after {after}")


class Fenced(LedgerError):
    """Another owner has acquired the partition: drop the state, stop or acquire again."""

    def __init__(self, partition: str, held: int, current: int) -> None:
        """Keep the token held (0: never acquired) and the token in force."""
        self.partition = partition
        self.held = held
        self.current = current
        super().__init__(f"{partition}: token {held} is fenced by {current}")


class UnknownFormat(LedgerError):
    """A file is of another version or another kind: tell the operator, touch nothing."""

    def __init__(self, place: str, found: int, known: int) -> None:
        """Keep the file, the version found (0: no ledger file of this kind) and the one known."""
        self.place = place
        self.found = found
        self.known = known
        super().__init__(f"{place}: format {found}, this program reads {known}")


class Damaged(LedgerError):
    """A file is not sound: tell the operator, run the check, restore the file from a copy."""

    def __init__(self, place: str, reason: str) -> None:
        """Keep the place and the reason in the store's own words."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class MalformedEntry(Bug):
    """An entry without a source or with a number below 1: transport refuses these before us."""

    def __init__(self, source: str, seq: int) -> None:
        """Keep what the entry said."""
        self.source = source
        self.seq = seq
        super().__init__(f"source {source!r}, seq {seq}")


class OutOfOrder(Bug):
    """An owner went back, repeated a position with other effects, or ran ahead of its commit."""

    def __init__(self, partition: str, committed: int, asked: int) -> None:
        """Keep the committed position and the one that was asked for."""
        self.partition = partition
        self.committed = committed
        self.asked = asked
        super().__init__(f"{partition}: at {committed}, asked for {asked}")
