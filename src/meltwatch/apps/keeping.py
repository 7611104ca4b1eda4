"""What a deployer may say of a node's disk: how much stays free, how long the log is kept.

Read from the command line of `core` and `serve`; every figure has a default of ours.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from meltwatch.ledger.room import MIB, Bounds, bounds_of


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """What was said; None: our default.

    `disk_floor`: while less is free frames are refused, MiB. `disk_reserve`: kept for what the node
    itself writes, MiB. Our defaults go by the size of the disk.
    """

    disk_floor: int | None = None
    disk_reserve: int | None = None

    def bounds(self, directory: Path) -> Bounds:
        """Return the bounds for the disk of an existing directory."""
        return bounds_of(directory, _mib(self.disk_floor), _mib(self.disk_reserve))


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
