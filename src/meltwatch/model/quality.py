"""How far a sample can be trusted: a set of bits; no bit at all means good."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """Bits of a sample's quality; `GOOD` is the empty set.

    `UNCERTAIN` still sets the point's value, `BAD` sets none (OPC UA Part 8 severities).
    The others say why, and travel with the sample into history.
    """

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    SUBSTITUTED = 4
    LATE = 8
    CORRECTED = 16
    CLOCK = 32
    TEST = 64
    OUT_OF_RANGE = 128
