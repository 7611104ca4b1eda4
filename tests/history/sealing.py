"""A process that seals and compacts a told log, says each sealed position, and may be killed.

    python -m tests.history.sealing DIRECTORY SEED FRAMES [KILL_AT NTH]

`KILL_AT` is `module:name` or `module:Class.name`: the process kills itself when it calls that for
the NTH time.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meltwatch.history.sealer import Sealer
from tests.history.telling import PLANT, STEP_MS, random_log

YEAR_MS = 365 * 86_400_000


def main(directory: str, seed: str, frames: str, kill_at: str = "", nth: str = "1") -> None:
    """Seal every third frame and what remains at the end; compact as its instants go on."""
    sealer = Sealer(Path(directory), PLANT)
    resumed = sealer.sealed_to()
    _say("opened", resumed)
    if kill_at:
        _die_at(kill_at, int(nth))
    for pos, frame in random_log(int(seed), int(frames)):
        if pos > resumed:
            sealer.take(pos, frame)
            if pos % 6 == 0:
                sealer.seal(pos)
                _say("sealed", sealer.sealed_to())
                sealer.compact(pos // 2 * STEP_MS)
    sealer.seal(0)
    sealer.compact(YEAR_MS)
    _say("done", sealer.sealed_to())


def _say(word: str, pos: int) -> None:
    sys.stdout.write(f"{word} {pos}\n")
    sys.stdout.flush()


def _die_at(place: str, nth: int) -> None:
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def dying(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, name, dying)


if __name__ == "__main__":
    main(*sys.argv[1:])
