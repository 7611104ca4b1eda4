"""What is wrong with the node itself, as long as it is so: the one book of it in the core.

Whoever finds something tells it here under its place; it is logged once when it comes and once when
it goes, and web asks for all of it over the local socket. A finding is no alarm of a plant.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from meltwatch.errors import Problem
from meltwatch.present.words import words_of

_log = logging.getLogger(__name__)


class Findings:
    """The findings that stand."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told: dict[str, tuple[Problem, ...]] = {}

    def tell(self, about: str, problems: Iterable[Problem]) -> None:
        """Replace all that stands of one subject; [] says that nothing is wrong with it."""
        former, now = self._told.get(about, ()), tuple(problems)
        known = {(one.place, one.key) for one in former}
        still = {(one.place, one.key) for one in now}
        for one in now:
            if (one.place, one.key) not in known:
                _log.error("%s: %s / %s", one.place, *words_of(one))
        for one in former:
            if (one.place, one.key) not in still:
                _log.warning("%s: 已恢复 / is well again: %s", one.place, one.key)
        self._told[about] = now

    def all(self) -> tuple[Problem, ...]:
        """Return what stands, by subject."""
        return tuple(one for _, told in sorted(self._told.items()) for one in told)
