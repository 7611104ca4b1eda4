"""Commands for whoever keeps a node's data: `meltwatch check`.

All of them may run beside the node's processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from meltwatch.apps.seal import LEDGER
from meltwatch.apps.stored import digest_due
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.check import check
from meltwatch.present.words import words_of

OK, DIFFERENT = 0, 1


def add_upkeep(commands: Any) -> None:
    """Add the commands."""
    whole = commands.add_parser("check", help="read the whole ledger and say what is not sound")
    whole.add_argument("--data", type=Path, required=True, help="the node's data directory")
    whole.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    """Print every finding; return 0 when there is none, else 1. Raises Refused."""
    ledger = options.data / LEDGER
    if not (ledger / "state.sqlite").is_file():
        raise Refused([Problem(str(ledger), "audit.no_ledger")])
    found = check(ledger, digest_due)
    say(found)
    print(f"{len(found)} 处问题 problems" if found else "完好 sound")
    return DIFFERENT if found else OK


def say(problems: list[Problem]) -> None:
    """Print problems, each with its place and its words."""
    for one in problems:
        chinese, english = words_of(one)
        print(f"{one.place}: {chinese} / {english}")
