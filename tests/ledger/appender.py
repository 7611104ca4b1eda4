"""A process that appends until it is killed and says what was acknowledged, a line each.

    main(DIRECTORY[, KILL_AT[, NTH]])

`KILL_AT` is `module:Class.method`: the process kills itself when it enters that method for the
NTH time, which is where a machine could have stopped.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.port import Appended, Known
from tests.ledger.telling import PLANT, entry

SOURCES = ("g/1", "g/2", "core")


def main(directory: str, kill_at: str = "", nth: str = "1") -> None:
    """Append for ever: small files, one to three entries a call, retention on the way."""
    home = EmbeddedHome(Path(directory), sync="full", rotate_ms=1_000)
    stream = home.stream
    if kill_at:
        _die_in(kill_at, int(nth))
    while True:
        call = [entry(source, stream.last_seq(source) + 1) for source in SOURCES]
        at = stream.end(PLANT) * 50
        call = [entry(told.source, told.seq, at=at) for told in call[: 1 + at % 3]]
        for told, outcome in zip(call, stream.append(PLANT, call), strict=True):
            assert isinstance(outcome, Appended | Known)
            sys.stdout.write(f"{told.source} {told.seq}\n")
            sys.stdout.flush()
        if kill_at.endswith("Shelf.remove"):
            stream.retain({PLANT: stream.end(PLANT)})


def _die_in(place: str, nth: int) -> None:
    module, _, path = place.partition(":")
    owner_name, _, method = path.partition(".")
    owner = getattr(importlib.import_module(module), owner_name)
    original: Callable[..., Any] = getattr(owner, method)
    calls = 0

    def dying(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, method, dying)
