"""What the simulator says no with."""

from __future__ import annotations

from meltwatch.errors import Refused


class AccidentRefused(Refused):
    """An accident does not fit the plant or the time: nothing is scheduled, tell the person why."""
