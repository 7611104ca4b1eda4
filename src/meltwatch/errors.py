"""Everything that Meltwatch can say no with, and what the caller does about it.

    MeltwatchError
    ├── Refused              the input is wrong: tell the person, name the place and the fix
    │   ├── PlantRefused     a plant's configuration breaks a rule; carries every problem at once
    │   ├── CommandRefused   a command does not fit the state; nothing has changed
    │   └── StoryRefused     a story file cannot be read as one
    └── Bug                  an invariant of ours is broken: stop, keep the evidence

Errors carry data (a key and parameters), never only a sentence: text is made at the edge, in
Chinese and English. Nothing here may import another room.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where it is, which rule it breaks, with what figures.

    `place` is a path into the input (`conditions/interlock.water/within_s`), `key` names the rule
    and the sentence, `params` fills the sentence.
    """

    place: str
    key: str
    params: dict[str, str | int | float] = {}

    def __str__(self) -> str:
        """Return a plain English line for logs and tests; screens use the key."""
        told = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.place}: {self.key}" + (f" ({told})" if told else "")


class MeltwatchError(Exception):
    """The root: whatever Meltwatch raises on purpose is one of these."""


class Refused(MeltwatchError):
    """The input is wrong and nothing has changed; `problems` holds every reason at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the message is their lines."""
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class PlantRefused(Refused):
    """A plant's points and conditions break a rule of `SEMANTICS`; the old plant stays in force."""


class CommandRefused(Refused):
    """A command does not fit the state it meets; nothing has changed, the person is told why."""


class StoryRefused(Refused):
    """A story file cannot be read as a story."""


class Bug(MeltwatchError):
    """An invariant of Meltwatch is broken: a defect of ours, never of the input."""
