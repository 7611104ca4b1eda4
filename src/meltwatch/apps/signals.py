"""SIGINT and SIGTERM as an event: what runs is asked to end, and ends itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signalled(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at SIGINT or SIGTERM, while inside; to be used in a running loop."""
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    try:
        yield
    finally:
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(one)
