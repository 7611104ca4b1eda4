"""What a bench hands back, and the line of JSON that it ends with (docs/performance.md)."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from meltwatch.errors import MeltwatchError


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a bench; None: its own default. Times in seconds, rates in samples/s."""

    seconds: float | None = None
    points: int | None = None
    plants: int | None = None
    samples: int | None = None
    minutes: float | None = None
    rate: int | None = None
    kills: int | None = None


class Checked(msgspec.Struct, frozen=True):
    """One thing that was compared with the generator's own ledger, and what was seen."""

    what: str
    held: bool
    seen: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by name, the load that they were taken under, and what was checked."""

    figures: dict[str, float]
    load: dict[str, float | int | str]
    checked: list[Checked]

    @property
    def verified(self) -> bool:
        """Return whether something was checked and all of it held."""
        return bool(self.checked) and all(one.held for one in self.checked)


class BenchFailed(MeltwatchError):
    """The bench could not be brought to its end: tell why; there are no figures."""


class Stage(msgspec.Struct, frozen=True):
    """Where a bench works: a directory of its own, removed at its end."""

    directory: Path

    def say(self, line: str) -> None:
        """Tell a person how far it is."""
        print(f"bench: {line}", file=sys.stderr, flush=True)
