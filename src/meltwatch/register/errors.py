"""What the register says no with.

MeltwatchError
├── RegisterUnavailable  the file cannot be read or written now: nothing was changed
├── SignInRefused        not this login with this password; which of them is not told
│   └── TooManyTries     wait, whoever you are
└── Refused
    └── AccountRefused   an account cannot be so: every reason is named, nothing was changed
"""

from __future__ import annotations

from meltwatch.errors import MeltwatchError, Refused


class RegisterUnavailable(MeltwatchError):
    """The register cannot be read or written now; nothing was changed. Try again."""


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
