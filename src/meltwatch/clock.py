"""The one module that reads the clock.

The wall clock stamps what is recorded; the monotonic clock measures waiting. Everybody else is
given `now` as an argument.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What a process needs to know of time."""

    def wall_ms(self) -> int:
        """Return the wall clock, ms UTC."""
        ...

    def monotonic_ms(self) -> int:
        """Return a clock that never goes back, ms from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """Return the wall clock, ms UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return the machine's monotonic clock, ms."""
        return time.monotonic_ns() // 1_000_000

    def monotonic_ns(self) -> int:
        """Return it in ns, for what is measured; all processes of a machine share it."""
        return time.monotonic_ns()


def life() -> str:
    """Return a name of the machine's present life, within which `monotonic_ms` is one clock.

    Where the machine tells none it is this process's: then no other process has the same.
    """
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"process-{time.time_ns()}"
