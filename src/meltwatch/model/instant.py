"""Instants: whole milliseconds since 1970-01-01 UTC, as plain `int`.

Durations in configuration are seconds (names end in `_s`); arithmetic is in milliseconds (names
end in `_ms`, or `at`, `due`, `since` for instants). Nobody here reads a clock.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

SECOND_MS = 1000


@lru_cache(maxsize=4096)
def to_ms(seconds: float | int) -> int:
    """Return seconds as whole milliseconds, half-even, by the decimal digits as written.

    >>> to_ms(0.0025), to_ms(600), to_ms(1.2)
    (2, 600000, 1200)
    """
    exact = Decimal(repr(seconds)) * SECOND_MS
    return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))


def to_seconds(ms: int) -> float:
    """Return milliseconds as seconds."""
    return ms / SECOND_MS
