"""A simulated plant behind a real OPC UA server, and its own ledger of what it told.

It runs by the wall clock, one second after the other; asked to stop it ends with a whole one. Its
ledger is a CSV file with a row for each sample that was served: what a check compares with what
was sealed at the other end.
"""

from __future__ import annotations

import asyncio
import csv
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

import msgspec
import yaml

from meltwatch.clock import Clock
from meltwatch.collect.opcua.player import Player, Second, node_of
from meltwatch.collect.simulate.accident import Accident
from meltwatch.collect.simulate.errors import AccidentRefused
from meltwatch.collect.simulate.point import Kind, points
from meltwatch.collect.simulate.simulator import Simulator
from meltwatch.errors import Problem
from meltwatch.model.ids import PointCode, UnitId, in_unit
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.sample import Row

HEADER = ("point", "at", "value", "quality")
YEAR_S = 366 * 86_400
LINGER_S = 1.0
"""How long the server stays after its last second, so that whoever reads has that too."""


class Simulate(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate.

    `head_start_s`: how old the plant is when it is first seen (a well begins idle and casts
    after some 390 s). Accidents count their `start_s` from that moment. `wait_s`: how long it
    waits for the first reader, so that its ledger begins with it; then it goes on without.
    """

    kind: Kind
    unit: UnitId
    port: int
    seed: int = 7
    head_start_s: int = 420
    accidents: tuple[Accident, ...] = ()
    ledger: Path | None = None
    wait_s: float = 0.0


def accident_of(text: str) -> Accident:
    """Return the accident that `{name: water_lost, start_s: 60, drain: stays_closed}` words.

    Raises AccidentRefused.
    """
    try:
        found: Accident = msgspec.convert(yaml.safe_load(text), Accident)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        why = " ".join(str(error).split())
        raise AccidentRefused([Problem(f"--accident {text}", "malformed", {"why": why})]) from None
    return found


def mapping_of(kind: Kind, unit: UnitId) -> dict[PointCode, str]:
    """Return the node of each point, as a gateway's file maps them."""
    return {code: node_of(code) for code in codes_of(kind, unit)}


def codes_of(kind: Kind, unit: UnitId) -> list[PointCode]:
    """Return the full code of each point of a unit."""
    return [PointCode(in_unit(unit, point.name)) for point in points(kind)]


def run_simulate(told: Simulate, clock: Clock) -> None:
    """Serve the plant until SIGINT or SIGTERM; its ledger is then complete."""
    with _ledger_of(told.ledger) as ledger:
        asyncio.run(_serve(told, clock, ledger))


async def _serve(told: Simulate, clock: Clock, ledger: TextIO | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    player = Player(codes_of(told.kind, told.unit), clock, told.port)
    async with player:
        print(f"meltwatch: 仿真 simulation {told.kind} {player.endpoint}", flush=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(told.wait_s):
                await player.watched.wait()
        seconds = seconds_of(told, clock.wall_ms())
        await player.play(_until(stop, _noted(seconds, ledger)), 1.0)
        await asyncio.sleep(LINGER_S)


def seconds_of(told: Simulate, now: int) -> Iterator[Second]:
    """Yield the plant's seconds from the whole second at or before `now` on, for ever.

    Raises AccidentRefused for an accident that does not fit.
    """
    first = now // SECOND_MS * SECOND_MS
    start = first - told.head_start_s * SECOND_MS
    accidents = [
        msgspec.structs.replace(one, start_s=one.start_s + told.head_start_s)
        for one in told.accidents
    ]
    simulator = Simulator(told.kind, told.seed, start, accidents)
    simulator.advance(first - 1)
    for number in range(YEAR_S):
        end = first + number * SECOND_MS
        yield end, [_placed(row, told.unit) for row in simulator.advance(end)]


def _placed(row: Row, unit: UnitId) -> Row:
    name, at, value, quality = row
    return PointCode(in_unit(unit, name)), at, float(value), quality


def _noted(seconds: Iterator[Second], ledger: TextIO | None) -> Iterator[Second]:
    """Write each second's rows down before they are served."""
    writer = None if ledger is None else csv.writer(ledger)
    for end, rows in seconds:
        if writer is not None and ledger is not None:
            writer.writerows((code, at, repr(value), bits) for code, at, value, bits in rows)
            ledger.flush()
        yield end, rows


def _until(stop: asyncio.Event, seconds: Iterator[Second]) -> Iterator[Second]:
    while not stop.is_set():
        yield next(seconds)


@contextmanager
def _ledger_of(path: Path | None) -> Iterator[TextIO | None]:
    with ExitStack() as opened:
        if path is None:
            yield None
            return
        file = opened.enter_context(path.open("w", encoding="utf-8", newline=""))
        csv.writer(file).writerow(HEADER)
        yield file


def argv_of(told: Simulate) -> Sequence[str]:
    """Return the arguments that make the same simulation in a process of its own."""
    argv = ["simulate", "--kind", told.kind, "--unit", told.unit, "--port", str(told.port)]
    argv += ["--seed", str(told.seed), "--head-start", str(told.head_start_s)]
    argv += ["--wait", str(told.wait_s)]
    for one in told.accidents:
        argv += ["--accident", msgspec.json.encode(one).decode()]
    if told.ledger is not None:
        argv += ["--ledger", str(told.ledger)]
    return argv
