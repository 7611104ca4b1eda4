"""A valve, dam or hoist with two positions: it follows a command late, or not at all."""

from __future__ import annotations


class Actuator:
    """A position, and the command that it is following; instants are seconds of the simulator."""

    def __init__(self, *, on: bool) -> None:
        """Stand still at a position."""
        self.on = on
        self._wanted = on
        self._due_s = 0

    def want(self, on: bool, now_s: int, within_s: int) -> None:
        """Command a position, to be reached `within_s` later; a repeated one is no news."""
        if on != self._wanted:
            self._wanted, self._due_s = on, now_s + within_s

    def step(self, now_s: int, *, jammed: bool = False) -> None:
        """Move if it is time; a jammed one stays where it is."""
        if not jammed and now_s >= self._due_s:
            self.on = self._wanted
