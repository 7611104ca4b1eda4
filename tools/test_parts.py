"""Run the parts of `make test` one after another, say how long each took, fail if one failed.

A part that runs no test fails too: nothing was shown. `test_parts.py stories` runs only that part.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest", "--quiet"]

LINK = ["tests/transport/test_link.py", "tests/transport/test_link_wrong_clock.py"]

PARTS: dict[str, list[str]] = {
    "check": ["make", "--no-print-directory", "check"],
    "apps": [*PYTEST, "tests/apps"],
    "link": [*PYTEST, *LINK],
    "people": [*PYTEST, "tests/register", "tests/present/api"],
    "collect": [*PYTEST, "tests/collect"],
    "history": [*PYTEST, "tests/history"],
    "opcua": [*PYTEST, "tests/opcua_stories"],
    "smoke": ["make", "--no-print-directory", "demo", "SMOKE=1"],
    "screens": [*PYTEST, "tests/screens"],
    "stories": [*PYTEST, "tests/stories"],
    "properties": [*PYTEST, "tests/properties"],
    "durability": [*PYTEST, "tests/durability"],
    "bench": [*PYTEST, "tests/bench/test_bench.py"],
    "peers": [*PYTEST, "tests/bench/test_peers.py"],
}


def main(wanted: list[str]) -> int:
    """Run the wanted parts, all of them by default; return the exit code."""
    if unknown := [name for name in wanted if name not in PARTS]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    seconds: dict[str, float] = {}
    failed: list[str] = []
    for name in wanted or PARTS:
        print(f"\n=== {name}: {' '.join(PARTS[name])}", flush=True)
        start = time.perf_counter()
        code = subprocess.run(PARTS[name], cwd=ROOT, check=False).returncode
        seconds[name] = time.perf_counter() - start
        if code != 0:
            failed.append(name)
    print("\n=== parts")
    for name, took in seconds.items():
        print(f"{name:<12} {took:7.1f} s  {'FAILED' if name in failed else 'passed'}")
    print(f"{'total':<12} {sum(seconds.values()):7.1f} s  {'FAILED' if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
