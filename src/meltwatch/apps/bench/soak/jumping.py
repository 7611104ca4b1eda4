"""A `meltwatch` command whose wall clock jumps: by the ms that stand in a file.

`python -m meltwatch.apps.bench.soak.jumping FILE COMMAND ...`. All of the product reads its clock
in one module, so that this needs no library beneath it.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from meltwatch.clock import SystemClock

LOOK_EVERY_MS = 100


def jump(file: Path) -> None:
    """Let the system's wall clock be ahead by what a file says, ms; the monotonic one is not."""
    honest = SystemClock.wall_ms
    ahead, looked_at = 0, -LOOK_EVERY_MS

    def wall_ms(clock: SystemClock) -> int:
        nonlocal ahead, looked_at
        now = clock.monotonic_ms()
        if now - looked_at >= LOOK_EVERY_MS:
            looked_at = now
            told = file.read_text("ascii").strip() if file.exists() else ""
            ahead = int(told or ahead)
        return honest(clock) + ahead

    setattr(SystemClock, SystemClock.wall_ms.__name__, wall_ms)


if __name__ == "__main__":
    jump(Path(sys.argv[1]))
    sys.argv = ["meltwatch", *sys.argv[2:]]
    runpy.run_module("meltwatch.apps.child", run_name="__main__")
