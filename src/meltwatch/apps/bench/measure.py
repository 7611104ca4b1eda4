"""What is measured beside the product: processes, the disk's own syncs, the machine.

Linux only: /proc tells of processes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from meltwatch.clock import SystemClock

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PROBE_BYTES = 4_096
PROBE_EVERY_S = 0.1


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far, seconds; 0 if there is none."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, bytes; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def children_of(pid: int) -> dict[str, int]:
    """Return the `meltwatch` processes that a process has started, by their command."""
    found: dict[str, int] = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        fields = _stat(int(path.name))
        if fields and int(fields[1]) == pid and (name := _command(path)):
            found[name] = int(path.name)
    return found


def own_cpu_s() -> float:
    """Return the CPU time of this process, the generator's, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _stat(pid: int) -> list[str]:
    """Return the fields of a process behind its name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _command(path: Path) -> str:
    try:
        words = (path / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    after = [
        words[place + 1]
        for place, word in enumerate(words[:-1])
        if word in ("meltwatch.apps.child", "meltwatch.apps.cli")
    ]
    return after[0] if after else ""


class SyncProbe(threading.Thread):
    """Writes and syncs a little file beside the ledger, ten times a second, and notes how long.

    What the disk takes of every promise, in the same run and on the same disk.
    """

    def __init__(self, directory: Path) -> None:
        """Probe in a directory."""
        super().__init__(daemon=True)
        self._path = directory / "probe"
        self._ending = threading.Event()
        self._clock = SystemClock()
        self.took_ms: list[float] = []

    def run(self) -> None:
        """Probe until told to end."""
        with self._path.open("wb", buffering=0) as file:
            while not self._ending.wait(PROBE_EVERY_S):
                file.write(b"0" * PROBE_BYTES)
                began = self._clock.monotonic_ns()
                os.fdatasync(file.fileno())
                self.took_ms.append((self._clock.monotonic_ns() - began) / 1e6)

    def end(self) -> list[float]:
        """End; return what each sync took, ms."""
        self._ending.set()
        self.join()
        return self.took_ms


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that `share` of all do not exceed; NaN of none."""
    if not len(values):
        return float("nan")
    ordered = sorted(values)
    return float(ordered[min(int(np.ceil(share * len(ordered))), len(ordered)) - 1])


def machine() -> dict[str, float | int | str]:
    """Return what this machine is, and how busy it was when asked."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    models = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * PAGE / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def calibration(directory: Path) -> dict[str, float]:
    """Return what this machine does at simple work now: to compare runs on different ones."""
    clock = SystemClock()

    def seconds(work: Callable[[], object]) -> float:
        began = clock.monotonic_ns()
        work()
        return (clock.monotonic_ns() - began) / 1e9

    data, column = bytes(32_000_000), np.arange(4_000_000, dtype=np.float64)
    syncs = []
    with (directory / "calibration").open("wb", buffering=0) as file:

        def sync() -> None:
            os.fdatasync(file.fileno())

        for _ in range(20):
            file.write(b"0" * PROBE_BYTES)
            syncs.append(seconds(sync) * 1000)
    return {
        "python_million_a_s": round(2 / seconds(_counted), 1),
        "sha256_mb_a_s": round(32 / seconds(lambda: hashlib.sha256(data).digest()), 1),
        "numpy_million_a_s": round(4 / seconds(column.cumsum), 1),
        "fsync_ms": round(quantile(syncs, 0.5), 3),
    }


def _counted() -> int:
    return sum(range(2_000_000))
