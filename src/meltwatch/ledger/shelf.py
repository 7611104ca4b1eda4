"""The log files of a directory: their names, in order, and a few open for reading."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from meltwatch.ledger.database import Opening, files_of, set_aside, sync_directory
from meltwatch.ledger.logfile import LogFile

_NAME = re.compile(r"log-(\d{19})\.sqlite")
_OPEN_AT_MOST = 8


class Shelf:
    """Log files named by the lowest position that they may hold; use under one lock."""

    def __init__(self, directory: Path, opening: Opening) -> None:
        """Look at `directory`; nothing is opened yet."""
        self._directory = directory
        self._opening = opening
        self._open: OrderedDict[int, LogFile] = OrderedDict()

    def path(self, first: int) -> Path:
        """Return the path of the file that begins at `first`."""
        return self._directory / f"log-{first:019d}.sqlite"

    def firsts(self) -> list[int]:
        """Return the first positions of the files that are there now, ascending."""
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        firsts = sorted(int(name[1]) for name in names if name)
        for gone in self._open.keys() - set(firsts):
            self._open.pop(gone).connection.close()
        return firsts

    def reader(self, first: int) -> LogFile:
        """Return the file open for reading; the least lately used ones are closed."""
        if first not in self._open:
            self._open[first] = LogFile.for_reading(self.path(first), first, self._opening)
        self._open.move_to_end(first)
        while len(self._open) > _OPEN_AT_MOST:
            self._open.popitem(last=False)[1].connection.close()
        return self._open[first]

    def writer(self, first: int, opening: Opening) -> LogFile:
        """Return the file open for writing, made if need be."""
        return LogFile.for_writing(self.path(first), first, opening)

    def size_bytes(self, first: int | None = None) -> int:
        """Return what one file takes with its write-ahead log, or all of them.

        The shared-memory file is left out: it comes and goes with whoever looks.
        """
        firsts = self.firsts() if first is None else [first]
        paths = [path for one in firsts for path in files_of(self.path(one))[:2]]
        return sum(path.stat().st_size for path in paths if path.exists())

    def remove(self, firsts: Iterable[int]) -> None:
        """Delete whole files with what belongs to them."""
        for first in firsts:
            if first in self._open:
                self._open.pop(first).connection.close()
            for path in files_of(self.path(first)):
                path.unlink(missing_ok=True)
        sync_directory(self._directory)

    def set_aside(self, first: int) -> None:
        """Give a file another name, under which nobody reads or writes it."""
        if first in self._open:
            self._open.pop(first).connection.close()
        set_aside(self.path(first))

    def close(self) -> None:
        """Close every reader."""
        for file in self._open.values():
            file.connection.close()
        self._open.clear()


def covering(firsts: list[int], after: int) -> list[int]:
    """Return the files that may hold positions behind `after`, ascending."""
    return firsts[max(bisect_right(firsts, after + 1) - 1, 0) :]
