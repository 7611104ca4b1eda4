"""Commands for whoever keeps a node's data: check, quarantine, requeue, backup, restore.

All but `restore` may run beside the node's processes.
"""

from __future__ import annotations

import argparse
import getpass
import platform
from pathlib import Path
from typing import Any

import msgspec

from meltwatch.apps.backup import Made, backup, shown_size
from meltwatch.apps.quarantine import line_of, quarantine
from meltwatch.apps.reconcile import compared, end_of, problem_of
from meltwatch.apps.requeue import Asker, open_requeues
from meltwatch.apps.requeue_way import have_requeued
from meltwatch.apps.restore import restore, wrong_with_restored
from meltwatch.apps.seal import LEDGER
from meltwatch.apps.stored import digest_due
from meltwatch.clock import SystemClock
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.check import check
from meltwatch.present.words import words_of

OK, DIFFERENT = 0, 1


def add_upkeep(commands: Any) -> None:
    """Add the commands."""
    kept = commands.add_parser("quarantine", help="list the rows that could not be used, and why")
    kept.add_argument("--data", type=Path, required=True, help="the directory that core uses")
    kept.add_argument("--enterprise", required=True)
    kept.set_defaults(run=_quarantine)
    again = commands.add_parser("requeue", help="take rows out of quarantine that can be used now")
    again.add_argument("--data", type=Path, required=True, help="the directory that core uses")
    again.add_argument("--enterprise", required=True)
    again.add_argument("--who", required=True, help="who asks for it: the audit keeps it")
    again.add_argument("--why", required=True, help="what was mended: the audit keeps it")
    again.add_argument("--look", action="store_true", help="say how many rows, do nothing")
    again.set_defaults(run=_requeue)
    copied = commands.add_parser("backup", help="copy a node's data, beside the running node")
    copied.add_argument("data", type=Path, metavar="DATA", help="the node's data directory")
    copied.add_argument("to", type=Path, metavar="TO", help="a new directory")
    copied.set_defaults(run=_backup)
    put_back = commands.add_parser("restore", help="make a data directory of a backup")
    put_back.add_argument("source", type=Path, metavar="FROM", help="the backup")
    put_back.add_argument("data", type=Path, metavar="DATA", help="a new data directory")
    put_back.set_defaults(run=_restore)
    two = commands.add_parser("reconcile", help="compare what two ends hold, number by number")
    two.add_argument("here", metavar="HERE", help="a data directory, or a gateway's outbox file")
    two.add_argument("there", metavar="THERE", help="a data directory, or a server's address")
    two.add_argument("--enterprise", default="", help="whose gateways, for a server")
    two.add_argument("--login", default="", help="for a server; the password is asked for")
    two.set_defaults(run=_reconcile)
    whole = commands.add_parser("check", help="read the whole ledger and say what is not sound")
    whole.add_argument("--data", type=Path, required=True, help="the node's data directory")
    whole.set_defaults(run=_check)


def _quarantine(options: argparse.Namespace) -> int:
    for kept in quarantine(options.data / LEDGER, options.enterprise):
        print(line_of(kept))
    return OK


def _requeue(options: argparse.Namespace) -> int:
    """Requeue what would pass now; return 0 when all of it is done, else 1."""
    asker = Asker(
        who=options.who, role="admin", node=platform.node(), origin="local", why=options.why
    )
    asked = open_requeues(options.data / LEDGER, options.enterprise, asker)
    rows = sum(len(one.rows) for one in asked)
    if options.look:
        print(f"{rows} 行可重新入列 rows would pass, {len(asked)} 帧 frames")
        return OK
    done, refused = have_requeued(options.data, options.enterprise, asked)
    say([msgspec.structs.replace(problem, place=f"{place}") for place, problem in refused])
    print(f"{done} 行已重新入列 of {rows} rows requeued")
    return DIFFERENT if refused else OK


def _backup(options: argparse.Namespace) -> int:
    made = backup(options.data, options.to, SystemClock(), _at_once)
    print(f"{options.to}: {_figures(made)}")
    return OK


def _restore(options: argparse.Namespace) -> int:
    """Restore and check; return 0 when all is sound, else 1."""
    made = restore(options.source, options.data, SystemClock(), _at_once)
    print(f"{options.data}: {_figures(made)}")
    found = wrong_with_restored(options.data)
    say(found)
    print(f"{len(found)} 处问题 problems" if found else "台账与审计链完好 ledger and chains sound")
    return DIFFERENT if found else OK


def _figures(made: Made) -> str:
    seconds = made.took_ms / 1000
    return f"{made.files} 个文件 files, {shown_size(made.bytes)}, {seconds:.1f} 秒 s"


def _at_once(line: str) -> None:
    print(line, flush=True)


def _reconcile(options: argparse.Namespace) -> int:
    """Name what differs; return 0 when nothing does, else 1. Raises Refused."""
    password = getpass.getpass() if options.login else ""
    there = end_of(options.there, options.enterprise, options.login, password)
    with end_of(options.here) as mine, there as other:
        found = [problem_of(one) for one in compared(mine, other)]
    say(found)
    print(f"{len(found)} 处不同 differences" if found else "一致 alike")
    return DIFFERENT if found else OK


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
