"""A process of ours under a supervisor: `python -m meltwatch.apps.child COMMAND ...`.

It runs the command, and ends when the pipe to its supervisor closes: none of ours goes on unseen
after the one that watches it has died, however that died.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from meltwatch.apps.cli import main

LAST_S = 15.0
"""How long an orderly end may take once nobody watches any more."""


def _mind_the_pipe() -> None:
    """Wait for the end of standing input, then end this process, orderly if it can."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_mind_the_pipe, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
