"""The pipe to a supervisor: no process of ours goes on unseen after the one that watches it."""

from __future__ import annotations

import os
import signal
import sys
import time

LAST_S = 15.0
"""How long an orderly end may take once nobody watches any more."""


def mind_the_pipe() -> None:
    """Wait for the end of standing input, then end this process, orderly if it can."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_S)
    os.kill(os.getpid(), signal.SIGKILL)
