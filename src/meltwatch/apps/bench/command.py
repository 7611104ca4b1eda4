"""`meltwatch bench NAME`: run one bench in a directory of its own and end with a line of JSON."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from meltwatch.apps.bench.alarm import alarm
from meltwatch.apps.bench.columns import columns
from meltwatch.apps.bench.growth import growth
from meltwatch.apps.bench.history import history
from meltwatch.apps.bench.journey import journey
from meltwatch.apps.bench.measure import calibration, machine
from meltwatch.apps.bench.peers.peers import peers
from meltwatch.apps.bench.restart import restart
from meltwatch.apps.bench.soak.soak import soak
from meltwatch.apps.bench.storm import storm
from meltwatch.apps.bench.verdict import BenchFailed, Outcome, Stage, Wish

OK, FAILED = 0, 1

BENCHES: dict[str, Callable[[Stage, Wish], Outcome]] = {
    "journey": journey,
    "columns": columns,
    "alarm": alarm,
    "storm": storm,
    "history": history,
    "restart": restart,
    "growth": growth,
    "soak": soak,
    "peers": peers,
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of output."""

    bench: str
    figures: dict[str, float]
    verified: bool
    machine: dict[str, float | int | str]
    load: dict[str, float | int | str]
    calibration: dict[str, float]


def add_bench(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", choices=list(BENCHES))
    parser.add_argument("--json", action="store_true", help="print nothing but the line of JSON")
    parser.add_argument("--seconds", type=float, help="how long is measured")
    for name, of in (
        ("points", "how many points"),
        ("plants", "over how many plants"),
        ("samples", "how many samples: history, restart"),
        ("rate", "samples a second: alarm, storm, soak"),
        ("kills", "soak: how many processes are killed"),
    ):
        parser.add_argument(f"--{name}", type=int, help=of)
    parser.add_argument("--minutes", type=float, help="soak: how long")
    parser.add_argument("--directory", type=Path, help="work below it; else below the system's")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    wish = Wish(**{name: getattr(options, name, None) for name in Wish.__struct_fields__})
    return run_bench(options.name, wish, below=options.directory, quiet=options.json)


def run_bench(name: str, wish: Wish, *, below: Path | None, quiet: bool) -> int:
    """Run a bench; return 0 if its figures are verified.

    Everything is below `below`, and gone at the end.
    """
    with tempfile.TemporaryDirectory(prefix="meltwatch-bench-", dir=below) as directory:
        stage = Stage(Path(directory))
        here, simple = machine(), calibration(stage.directory)
        try:
            outcome = BENCHES[name](stage, wish)
        except BenchFailed as failed:
            stage.say(f"{name}: {failed}")
            outcome = Outcome(figures={}, load={"failed": str(failed)[:300]}, checked=[])
    for one in outcome.checked:
        stage.say(f"{'ok    ' if one.held else 'FAILED'} {one.what}: {one.seen}")
    told = Told(
        bench=name,
        figures=outcome.figures,
        verified=outcome.verified,
        machine=here,
        load=outcome.load,
        calibration=simple,
    )
    if not quiet:
        _print(told)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.flush()
    return OK if told.verified else FAILED


def _print(told: Told) -> None:
    for name, value in {**told.figures, **told.load}.items():
        print(f"  {name:<24} {value}")
