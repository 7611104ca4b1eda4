"""What a deployer may say of a node's disk: how much stays free, how long the log is kept.

Read from the command line of `core` and `serve`; every figure has a default of ours.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import msgspec

from meltwatch.apps.retention import DAY_MS, Limits
from meltwatch.ledger.embedded import GIB
from meltwatch.ledger.room import MIB, Bounds, bounds_of

KEEP_DAYS = 30
"""How long the log is kept by default; ours: nothing official asks for it."""


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """What was said; None: our default.

    `disk_floor`: while less is free frames are refused, MiB. `disk_reserve`: kept for what the node
    itself writes, MiB. `keep_days`, `keep_gib`: of the log; older or more goes once it is sealed.
    Our defaults are `KEEP_DAYS`, and for the rest go by the size of the disk.
    """

    disk_floor: int | None = None
    disk_reserve: int | None = None
    keep_days: int | None = None
    keep_gib: int | None = None

    def bounds(self, directory: Path) -> Bounds:
        """Return the bounds for the disk of an existing directory."""
        return bounds_of(directory, _mib(self.disk_floor), _mib(self.disk_reserve))

    def limits(self, directory: Path) -> Limits:
        """Return how much of the log is kept on the disk of an existing directory."""
        told = os.statvfs(directory)
        half = told.f_blocks * told.f_frsize // 2
        return Limits(
            keep_ms=(KEEP_DAYS if self.keep_days is None else self.keep_days) * DAY_MS,
            keep_bytes=half if self.keep_gib is None else self.keep_gib * GIB,
        )


DEFAULT_KEEPING = Keeping()


def add_keeping(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that starts a core."""
    command.add_argument(
        "--disk-floor",
        type=_whole,
        metavar="MIB",
        help="refuse frames while less is free (256, on a small disk a tenth of it)",
    )
    command.add_argument(
        "--disk-reserve",
        type=_whole,
        metavar="MIB",
        help="kept for alarms and commands on a full disk (64, on a small disk a twentieth)",
    )
    command.add_argument(
        "--keep-days",
        type=_whole,
        metavar="DAYS",
        help=f"of the log; what is older goes once it is sealed ({KEEP_DAYS})",
    )
    command.add_argument(
        "--keep-gib",
        type=_whole,
        metavar="GIB",
        help="of the log; what is more goes once it is sealed (half of the disk)",
    )


def keeping_of(options: argparse.Namespace) -> Keeping:
    """Return what was said."""
    return Keeping(**{name: getattr(options, name) for name in Keeping.__struct_fields__})


def argv_of(keeping: Keeping) -> tuple[str, ...]:
    """Return the options that say the same again, for a child."""
    return tuple(
        word
        for name in Keeping.__struct_fields__
        if (told := getattr(keeping, name)) is not None
        for word in (f"--{name.replace('_', '-')}", str(told))
    )


def _mib(told: int | None) -> int | None:
    return None if told is None else told * MIB


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text}: 0, 1, 2, ...")
    return int(text)
