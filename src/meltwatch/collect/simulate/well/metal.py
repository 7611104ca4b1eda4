"""The metal on its way: furnace -> launder -> shut-off -> table -> moulds.

Flows are told as what they do to the level that they feed, mm/s. The table's inlet valve and the
furnace's plug follow proportional controllers with the known outflow fed forward.
"""

from __future__ import annotations

from meltwatch.collect.simulate.dynamics import approach, limit

LAUNDER_MM, TABLE_MM = 150.0, 120.0
MM_OF_TABLE_PER_MM_OF_INGOT = 0.6
MOST_INFLOW_MM_S = 2.5
GAIN_PER_S = 0.1
VALVE_S = 2.0
DRAINING_MM_S = 1.5
LAUNDER_DRAINS_S = 8.0


class Metal:
    """The levels of launder and table, mm."""

    def __init__(self) -> None:
        """Begin empty."""
        self.launder_mm = 0.0
        self.table_mm = 0.0
        self._inflow_mm_s = 0.0

    def step(
        self,
        *,
        pouring: bool,
        shut: bool,
        cut: bool,
        drain: bool,
        taken_mm_s: float,
        leak_mm_s: float,
    ) -> None:
        """Go on by a second.

        `pouring`: the furnace is to give metal. `taken_mm_s`: what the growing ingot takes of the
        table's level. `leak_mm_s`: what leaks out of a table filled to its set level.
        """
        inflow = self._inflow(shut or cut, taken_mm_s)
        self._fill_launder(pouring and not cut, inflow, drain)
        leaking = leak_mm_s * (max(self.table_mm, 0.0) / TABLE_MM) ** 0.5
        draining = DRAINING_MM_S if drain else 0.0
        self.table_mm = max(0.0, self.table_mm + inflow - taken_mm_s - leaking - draining)

    def _inflow(self, closed: bool, taken_mm_s: float) -> float:
        wanted = taken_mm_s + GAIN_PER_S * (TABLE_MM - self.table_mm)
        if closed or self.launder_mm < 20.0:
            self._inflow_mm_s = 0.0
        else:
            valve = limit(wanted, 0.0, MOST_INFLOW_MM_S)
            self._inflow_mm_s = approach(self._inflow_mm_s, valve, VALVE_S)
        return self._inflow_mm_s

    def _fill_launder(self, pouring: bool, inflow_mm_s: float, drain: bool) -> None:
        if drain:
            self.launder_mm = approach(self.launder_mm, 0.0, LAUNDER_DRAINS_S)
            return
        given = inflow_mm_s + GAIN_PER_S * (LAUNDER_MM - self.launder_mm) if pouring else 0.0
        self.launder_mm = max(0.0, self.launder_mm + limit(given, 0.0, 6.0) - inflow_mm_s)
