"""Files of history on the disk: written durably, locked, opened though they were just replaced.

    catalogue.sqlite   which files count
    segments/          rows of samples
    minutes/  held/    what compaction derives from them
    retired/           files that no longer count, kept a while for whoever is still reading

What is written gets its name when it is durable, and counts once the catalogue says so.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

from meltwatch.history.errors import Damaged, InUse, Unavailable

SEGMENTS, MINUTES, HELD, RETIRED = "segments", "minutes", "held", "retired"
FOLDERS = (SEGMENTS, MINUTES, HELD, RETIRED)
TEMPORARY = ".tmp"
_LOCK = "sealer.lock"
NAMED = ("point", "source", "epoch")


def make_folders(directory: Path) -> None:
    """Make the folders of a history, durable."""
    for name in FOLDERS:
        (directory / name).mkdir(parents=True, exist_ok=True)
    sync_directory(directory)


def write_durably(path: Path, data: bytes) -> None:
    """Write under a temporary name, sync, rename; the directory is synced by the caller."""
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, as its files already are."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def locked(directory: Path) -> BinaryIO:
    """Return an open file that holds the sealer's lock until it is closed, by a kill too.

    Raises `InUse`.
    """
    file = (directory / _LOCK).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InUse(str(directory)) from error
    return file


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Turn what the disk says no with into `Unavailable`."""
    try:
        yield
    except OSError as error:
        raise Unavailable(str(place), str(error)) from error


@contextmanager
def open_parquet(path: Path, names: Sequence[str] = NAMED) -> Iterator[Any]:
    """Open a file of history for reading, from `retired/` too if it was just replaced.

    `names`: the columns that are read as dictionaries. Raises `Damaged` if it is gone or cannot
    be read.
    """
    try:
        with _opened(path, list(names)) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise Damaged(str(path), str(error)) from error


def retired_path(directory: Path, path: str) -> Path:
    """Return where a file is kept after it was replaced; `path` is relative to the directory."""
    return directory / RETIRED / path.replace("/", "-")


def _opened(path: Path, names: list[str]) -> Any:
    try:
        return pq.ParquetFile(path, read_dictionary=names)
    except FileNotFoundError:
        directory = path.parent.parent
        kept = retired_path(directory, str(path.relative_to(directory)))
        return pq.ParquetFile(kept, read_dictionary=names)
