"""`meltwatch history window|last|snapshot|gaps|export`: questions to a data directory.

Read beside the running processes.
Instants are told as ISO 8601 with a zone, or in ms since 1970-01-01 UTC. `--json`: one JSON object.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from meltwatch.apps.seal import HISTORY, LEDGER
from meltwatch.clock import SystemClock
from meltwatch.errors import Problem, Refused
from meltwatch.history.errors import HistoryError
from meltwatch.history.held import Held
from meltwatch.history.queries import History
from meltwatch.history.trend import Window
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.model.ids import EnterpriseId, PointCode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = re.compile(r"-?[0-9]{1,18}")


class HistoryRefused(Refused):
    """A question that cannot be answered: every reason is named."""


def add_history_commands(history: argparse.ArgumentParser) -> None:
    """Add the questions."""
    asked = history.add_subparsers(required=True, metavar="WHAT")
    window = _question(asked, "window", "points over a window, no extreme lost", _window)
    _between(window)
    window.add_argument("--width", type=int, default=500, help="steps at most")
    window.add_argument("--stale-s", type=float, help="after how long without a value it is blind")
    _question(asked, "last", "the last value of every point", _last)
    snapshot = _question(asked, "snapshot", "what every point held at an instant", _snapshot)
    snapshot.add_argument("--at", required=True, metavar="INSTANT")
    gaps = _question(asked, "gaps", "what of each source's time is complete or lost", _gaps)
    _between(gaps)
    gaps.add_argument("--stale-s", type=float, help="also where the points were silent for longer")
    export = _question(asked, "export", "samples as a file", _export)
    _between(export)
    export.add_argument("--format", choices=["csv", "parquet"], default="csv")
    export.add_argument("--to-file", type=Path, help="where to; else the standard output")


def instant_of(told: str, place: str) -> int:
    """Return an instant in ms UTC; raises HistoryRefused."""
    if _MS.fullmatch(told):
        return int(told)
    try:
        read = datetime.fromisoformat(told)
        if read.tzinfo is not None:
            return (read - _EPOCH) // timedelta(milliseconds=1)
    except ValueError:
        pass
    raise HistoryRefused([Problem(place, "history.no_instant", {"told": told[:100]})])


def _question(
    asked: Any, name: str, what: str, run: Callable[[History, argparse.Namespace], Any]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = asked.add_parser(name, help=what)
    parser.add_argument("--data", type=Path, required=True, help="the directory that core uses")
    parser.add_argument("--enterprise", required=True)
    parser.add_argument("--point", action="append", default=[], metavar="UNIT/NAME")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=lambda options: _answer(run, options))
    return parser


def _between(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="at_from", required=True, metavar="INSTANT")
    parser.add_argument("--to", dest="at_to", required=True, metavar="INSTANT")


def _answer(run: Callable[[History, argparse.Namespace], Any], options: argparse.Namespace) -> int:
    with _opened(options) as history:
        told = run(history, options)
    if told is None:
        return 0
    if options.json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(told))
    return 0


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[History]:
    ledger, directory = options.data / LEDGER, options.data / HISTORY / options.enterprise
    if not (ledger / "index.sqlite").is_file():
        raise HistoryRefused([Problem(str(ledger), "history.no_ledger")])
    with closing(EmbeddedReader(ledger)) as reader:
        name = EnterpriseId(options.enterprise)
        if not directory.is_dir() and not reader.end(name):
            told = {"enterprise": options.enterprise[:100]}
            raise HistoryRefused([Problem("--enterprise", "history.no_enterprise", dict(told))])
        try:
            yield History(directory, reader, name)
        except HistoryError as error:
            problem = Problem(str(directory), "history.unreadable", {"reason": str(error)})
            raise HistoryRefused([problem]) from error


def _span(options: argparse.Namespace) -> tuple[int, int]:
    at_from = instant_of(options.at_from, "--from")
    at_to = instant_of(options.at_to, "--to")
    if at_from >= at_to:
        raise HistoryRefused([Problem("--to", "history.window", {"from": at_from, "to": at_to})])
    return at_from, at_to


def _points(options: argparse.Namespace, *, wanted: bool = False) -> list[PointCode]:
    if wanted and not options.point:
        raise HistoryRefused([Problem("--point", "history.no_point")])
    return [PointCode(one) for one in options.point]


def _stale_ms(options: argparse.Namespace) -> int | None:
    return None if options.stale_s is None else round(options.stale_s * 1000)


def _window(history: History, options: argparse.Namespace) -> dict[str, Any]:
    at_from, at_to = _span(options)
    if options.width < 1:
        raise HistoryRefused([Problem("--width", "history.width")])
    window = Window(at_from=at_from, at_to=at_to, width=options.width)
    drawn = history.window(dict.fromkeys(_points(options, wanted=True), _stale_ms(options)), window)
    return {point: msgspec.structs.asdict(columns) for point, columns in drawn.items()}


def _last(history: History, options: argparse.Namespace) -> dict[str, Any]:
    return _values(history.last(SystemClock().wall_ms(), _points(options) or None))


def _snapshot(history: History, options: argparse.Namespace) -> dict[str, Any]:
    at = instant_of(options.at, "--at")
    return _values(history.snapshot(at, _points(options) or None))


def _values(held: Held) -> dict[str, Any]:
    columns = (held.at.tolist(), held.value.tolist(), held.quality.tolist())
    return {
        point: {"at": at, "value": value, "quality": quality}
        for point, at, value, quality in zip(held.points, *columns, strict=True)
    }


def _gaps(history: History, options: argparse.Namespace) -> dict[str, Any]:
    points: dict[PointCode, int | None] = dict.fromkeys(_points(options), _stale_ms(options))
    return msgspec.structs.asdict(history.gaps(_span(options), points=points))


def _export(history: History, options: argparse.Namespace) -> None:
    parts = history.export(_points(options, wanted=True), _span(options), options.format)
    if options.to_file is None:
        for part in parts:
            sys.stdout.buffer.write(part)
        return
    with options.to_file.open("wb") as file:
        file.writelines(parts)


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """Yield what was told for a person: a line each for a value, a step, a part of time."""
    for name, one in told.items():
        if name == "sources":
            for gap in one:
                yield f"{gap.source:<24} {gap.state:<10} ({_time(gap.begins)}, {_time(gap.ends)}]"
        elif name == "silent":
            for point, spans in one.items():
                for begins, ends in spans:
                    yield f"{point:<24} silent     [{_time(begins)}, {_time(ends)}]"
        elif "value" in one:
            yield f"{name:<32} {_time(one['at'])} {one['value']:>14g} {one['quality']}"
        else:
            steps = zip(one["at"], one["least"], one["most"], one["last"], strict=True)
            for at, least, most, last in steps:
                yield f"{name:<32} {_time(at)} {_figure(least)} {_figure(most)} {_figure(last)}"


def _time(at: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")


def _figure(value: float | None) -> str:
    return f"{'-':>12}" if value is None else f"{value:>12g}"
