"""A process of ours under a supervisor: `python -m meltwatch.apps.child COMMAND ...`.

It runs the command, and ends when the pipe to its supervisor closes: none of ours goes on unseen
after the one that watches it has died, however that died.
"""

from __future__ import annotations

import sys
import threading

from meltwatch.apps.cli import main
from meltwatch.apps.pipe import mind_the_pipe

if __name__ == "__main__":
    threading.Thread(target=mind_the_pipe, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
