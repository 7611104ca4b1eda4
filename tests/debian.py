"""Packages of Debian that tests need: installed when we are root, else named plainly.

Used by the tests that need them, so that `make test` on a fresh machine needs nothing by hand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

WITHIN_S = 600
_APT = [
    "/usr/bin/env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "--quiet=2",
    "-o",
    "DPkg::Lock::Timeout=120",
]


def ensure(program: str, packages: Sequence[str]) -> str | None:
    """Return where a program is, installing its packages first if need be and allowed.

    None: it is not there and cannot be installed here.
    """
    if (found := shutil.which(program)) is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run(
            [*_APT, *arguments],
            timeout=WITHIN_S,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    return shutil.which(program)


def how_to_get(packages: Sequence[str]) -> str:
    """Return what to tell a person who lacks the packages."""
    return f"not installed: apt-get install {' '.join(packages)} (as root), then run this again"
