"""Passwords as argon2id hashes. One hash takes some 90 ms and 64 MiB: bound how many at once."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LENGTH = 10
"""Our own default, not an official one."""
AT_ONCE = 2


class Passwords:
    """Makes and checks hashes, a few at a time."""

    def __init__(self) -> None:
        """Begin with the library's current recommendation."""
        self._hasher = PasswordHasher()
        self._some = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = self._hasher.hash("nobody's password")

    def hash(self, password: str) -> str:
        """Return the hash to keep."""
        with self._some:
            return self._hasher.hash(password)

    def fits(self, password: str, kept: str | None) -> bool:
        """Return whether a password is the one; nobody's takes the same time and never fits."""
        with self._some:
            try:
                self._hasher.verify(kept or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None
