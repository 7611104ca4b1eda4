"""A recorded accident played by instruments: every row stored, its alarm at the file's instants.

The file and the plant of `tests/collect/test_play_serve.py`, but through an OPC UA server, source,
gateway and real link, at 60 times real time.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import yaml

from meltwatch.clock import SystemClock
from meltwatch.collect.opcua import OpcUa, Player
from meltwatch.collect.opcua.player import Second
from meltwatch.collect.opcua.port import Report as SourceReport
from meltwatch.model.ids import EnterpriseId, PointCode, UnitId
from meltwatch.model.plant import Plant, Source, UnitTemplate, instantiate
from meltwatch.transport.lane import Report
from tests.collect.test_play_serve import COLUMNS, GATEWAY, RAISED, RETURNED, TEMPLATE, ms
from tests.opcua_stories.stage import (
    gateway_on,
    has_sent_all,
    log_of,
    occurrences_of,
    running,
    serving,
    until,
)

SPEED = 60.0
WITHIN_S = 60.0

Table = list[tuple[int, dict[str, float]]]
"""(instant, ms UTC; value by point) of each row."""


def rig() -> Plant:
    """Return the plant of a recorded loop; no wall clock may make its gateway look gone."""
    template = msgspec.convert(yaml.safe_load(TEMPLATE), UnitTemplate)
    points, conditions = instantiate(template, UnitId("loop"), GATEWAY)
    return Plant(
        enterprise=EnterpriseId("rig"),
        module="aluminium-dc",
        points=points,
        conditions=conditions,
        sources={GATEWAY: Source(clock="recorded", offline_s=9_000_000)},
    )


def table_of(file: Path) -> Table:
    with file.open(encoding="utf-8", newline="") as text:
        return [
            (
                ms(datetime.fromisoformat(f"{row['datetime']}+00:00")),
                {f"loop/{name}": float(row[column]) for name, column in COLUMNS.items()},
            )
            for row in csv.DictReader(text, delimiter=";")
        ]


def seconds_of(table: Table) -> Iterator[Second]:
    for at, row in table:
        yield at, [(PointCode(code), at, value, 0) for code, value in row.items()]


def test_a_recorded_loss_of_flow(tmp_path: Path, shared: Path) -> None:
    table = table_of(shared / "data" / "skab" / "valve1" / "7.csv")
    assert len(table) == 1_094
    plant = rig()
    ledger = tmp_path / "ledger"
    clock = SystemClock()
    reports: list[Report | SourceReport] = []

    async def play() -> None:
        async with (
            serving(ledger, plant, GATEWAY, clock) as port,
            Player(plant.points, clock) as player,
        ):
            gateway = gateway_on(tmp_path / "outbox.sqlite", port, GATEWAY, clock, reports.append)
            asked = OpcUa(
                endpoint=player.endpoint,
                mapping=dict(player.mapping),
                domain="recorded",
                clock_node=player.clock_node,
            )
            async with running(gateway, asked, reports.append):
                await until(player.watched.is_set)
                await player.play(seconds_of(table), SPEED)
                await until(lambda: has_sent_all(gateway, table[-1][0]))

    asyncio.run(asyncio.wait_for(play(), WITHIN_S))
    assert reports == []

    frames = log_of(ledger, plant.enterprise)
    stored = [row for one in frames for row in one.samples.rows()]
    assert len(stored) == len(table) * len(COLUMNS)
    assert len({one.epoch for one in frames}) == 1
    for code in table[0][1]:
        told = [(at, value) for name, at, value, _ in stored if name == code]
        assert [at for at, _ in told] == [at for at, _ in table]
        assert sum(value for _, value in told) == sum(row[code] for _, row in table)

    told_of = [
        (one.condition, one.raised, one.returned, one.flags)
        for one in occurrences_of(ledger, plant.enterprise)
    ]
    assert told_of == [("loop/flow.L", ms(RAISED), ms(RETURNED), ())]
