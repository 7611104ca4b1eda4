"""Lags and ramps over the simulator's step of one second."""

from __future__ import annotations

import math
from functools import lru_cache


def approach(value: float, target: float, tau_s: float) -> float:
    """Return where a first-order lag of `tau_s` stands a second later."""
    return value + (target - value) * _share(tau_s)


def drive(value: float, target: float, per_s: float) -> float:
    """Return where a ramp of at most `per_s` a second stands a second later."""
    return value + limit(target - value, -per_s, per_s)


def limit(value: float, low: float, high: float) -> float:
    """Return the value, held between two bounds."""
    return min(max(value, low), high)


@lru_cache(maxsize=256)
def _share(tau_s: float) -> float:
    return 1.0 - math.exp(-1.0 / tau_s)
