"""What the register says no with.

MeltwatchError
├── RegisterUnavailable  the file cannot be read or written now: nothing was changed
├── OutboxOutOfStep      core waits for an order that is not next here: a person has to look
├── SignInRefused        not this login with this password; which of them is not told
│   └── TooManyTries     wait, whoever you are
└── Refused
    └── AccountRefused   an account cannot be so: every reason is named, nothing was changed
"""

from __future__ import annotations

from meltwatch.errors import MeltwatchError, Refused


class RegisterUnavailable(MeltwatchError):
    """The register cannot be read or written now; nothing was changed. Try again."""


class OutboxOutOfStep(MeltwatchError):
    """Core waits for another order than the next one here: one of the two files was put back.

    Tell the operator and hand nothing over: another order under a number that is taken would be
    lost, or obeyed twice.
    """

    def __init__(self, expected: int, waiting: int | None, last: int) -> None:
        """Keep what core waits for, the next order here (None: none waits), the last stored."""
        self.expected, self.waiting, self.last = expected, waiting, last
        super().__init__(f"core waits for {expected}; here {waiting} is next, {last} the last")


class SignInRefused(MeltwatchError):
    """Unknown, wrong or disabled: the same answer, after the same time."""


class TooManyTries(SignInRefused):
    """Too many wrong passwords for this login, or from this place: not even looked at."""

    def __init__(self, retry_after_s: int) -> None:
        """Keep the wait, whole seconds."""
        self.retry_after_s = retry_after_s
        super().__init__(f"again in {retry_after_s} s")


class AccountRefused(Refused):
    """An account cannot be so; nothing was changed."""
