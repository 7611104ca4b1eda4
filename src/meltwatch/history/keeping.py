"""How long history is kept: by class of point, rows and roll-ups apart; versioned data.

The figures of `OURS` are this project's own, not a regulation's: a deployer states others in the
node's file. A class is an `hour`'s property from when it is compacted: a changed configuration
holds for hours compacted from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from meltwatch.errors import Problem

DAY_MS = 86_400_000
STANDARD = "standard"
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")

Days = Annotated[int, msgspec.Meta(ge=1, le=36_525)]


class Class(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class: points by their codes (`*` and `?` as in file names), and days to keep them."""

    points: tuple[str, ...] = ()
    raw_days: Days
    minutes_days: Days


class Keeping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of the configuration; a point is of the first class that names it.

    `basis`: who says so. Points that no class names are of the class `standard`.
    """

    version: Annotated[int, msgspec.Meta(ge=1)]
    basis: str
    raw_days: Days
    minutes_days: Days
    classes: dict[str, Class] = {}

    def class_of(self, point: str) -> str:
        """Return the class of a point, by its code."""
        for name, one in self.classes.items():
            if any(fnmatchcase(point, pattern) for pattern in one.points):
                return name
        return STANDARD

    def days(self, class_: str) -> tuple[int, int]:
        """Return for how many days rows and roll-ups of a class are kept.

        A class that the configuration does not name any more is kept as the standard one, or
        longer: what was promised is not cut short by a renaming.
        """
        if class_ == STANDARD:
            return self.raw_days, self.minutes_days
        if found := self.classes.get(class_):
            return found.raw_days, found.minutes_days
        every: list[Keeping | Class] = [self, *self.classes.values()]
        return max(one.raw_days for one in every), max(one.minutes_days for one in every)

    def horizon(self, class_: str, now: int) -> tuple[int, int]:
        """Return before when (ms UTC) nothing of a class is kept: rows, roll-ups."""
        raw, minutes = self.days(class_)
        return now - raw * DAY_MS, now - max(raw, minutes) * DAY_MS


OURS = Keeping(
    version=1,
    basis="project-default (not official)",
    raw_days=400,
    minutes_days=3_660,
)


def problems_of(keeping: Keeping, place: str, points: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong with a configuration for plants of these points; `place` is its own."""
    codes = list(points)
    if keeping.minutes_days < keeping.raw_days:
        yield _shorter(place, keeping)
    for name, one in keeping.classes.items():
        at = f"{place}/classes/{name}"
        if not NAME.fullmatch(name) or name == STANDARD:
            yield Problem(at, "history.class_name")
        if one.minutes_days < one.raw_days:
            yield _shorter(at, one)
        for pattern in one.points:
            if not any(fnmatchcase(code, pattern) for code in codes):
                yield Problem(f"{at}/points", "history.class_of_nothing", {"pattern": pattern})


def _shorter(place: str, told: Keeping | Class) -> Problem:
    return Problem(
        f"{place}/minutes_days",
        "history.minutes_shorter",
        {"raw_days": told.raw_days, "minutes_days": told.minutes_days},
    )
