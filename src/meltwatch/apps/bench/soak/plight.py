"""What befalls the processes of a soak, one thing after the other, by a seeded chance."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from meltwatch.apps.bench.server import Process
from meltwatch.apps.bench.verdict import Stage

DOWN_S = (0.0, 1.0)
PAUSE_S = (0.3, 2.5)
FULL_S = 2.0
JUMPS_MS = (20_000, -3_000, 0)
FILL_BYTES = 1 << 20
PAUSES_A_KILL, FILLS, JUMPS = 0.3, 2, 3


class SmallDisk:
    """A tmpfs of its own, when we are root; else a plain directory, which is never full."""

    def __init__(self, stage: Stage, size_mb: int) -> None:
        """Mount it."""
        self.place = stage.directory / "disk"
        self.place.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "none", str(self.place)]
        self.is_small = os.geteuid() == 0 and _run(argv)
        if not self.is_small:
            stage.say("no tmpfs can be mounted here: no disk will be full")

    def fill(self, seconds: float) -> None:
        """Leave no room on it for a while."""
        path = self.place / "filler"
        try:
            with path.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(FILL_BYTES))
        except OSError:
            threading.Event().wait(seconds)
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it."""
        if self.is_small:
            _run(["umount", str(self.place)])


class Plight:
    """Kills, pauses, fills and jumps, in a shuffled order, evenly over the time."""

    def __init__(
        self, stage: Stage, processes: Mapping[str, Process], disk: SmallDisk, jumps: Path
    ) -> None:
        """Let it befall these processes."""
        self._stage, self._processes, self._disk, self._jumps = stage, processes, disk, jumps
        self._chance = random.Random(20_240_808)  # noqa: S311  # the same every time
        self.befell: Counter[str] = Counter()
        self._jumped = 0

    def run(self, kills: int, seconds: float) -> None:
        """Let all of it happen, in about so many seconds; what was killed is started again."""
        happens: list[Callable[[], None]] = [self._kill] * kills
        happens += [self._pause] * round(kills * PAUSES_A_KILL)
        if kills:
            happens += [self._step] * JUMPS + ([self._fill] * FILLS if self._disk.is_small else [])
        self._chance.shuffle(happens)
        for one in happens:
            wait = self._chance.uniform(0.3, 1.3) * seconds / (len(happens) + 1)
            threading.Event().wait(wait)
            one()
            self._revive()
        self._jumps.write_text("0", encoding="ascii")

    def _any(self) -> tuple[str, Process]:
        return self._chance.choice(list(self._processes.items()))

    def _kill(self) -> None:
        name, process = self._any()
        process.kill()
        self.befell[f"kills_{name.split('-')[0]}"] += 1
        threading.Event().wait(self._chance.uniform(*DOWN_S))

    def _pause(self) -> None:
        _, process = self._any()
        process.signal(signal.SIGSTOP)
        threading.Event().wait(self._chance.uniform(*PAUSE_S))
        process.signal(signal.SIGCONT)
        self.befell["pauses"] += 1

    def _fill(self) -> None:
        self._disk.fill(FULL_S)
        self.befell["full_disks"] += 1

    def _step(self) -> None:
        self._jumps.write_text(str(JUMPS_MS[self._jumped % len(JUMPS_MS)]), encoding="ascii")
        self._jumped += 1
        self.befell["clock_jumps"] += 1

    def _revive(self) -> None:
        """Start whatever does not run: what was killed, and what ended for want of room."""
        for name, process in self._processes.items():
            if not process.runs:
                process.start()
                self.befell["starts"] += 1
                self._stage.say(f"{name} is started again")


def _run(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0
    except OSError:
        return False
