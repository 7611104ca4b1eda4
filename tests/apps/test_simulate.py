"""A simulated plant on a real OPC UA server, and the ledger that it keeps of itself."""

from __future__ import annotations

import asyncio
import csv
import itertools
import random
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from meltwatch.apps.simulate import (
    HEADER,
    Simulate,
    accident_of,
    argv_of,
    mapping_of,
    seconds_of,
)
from meltwatch.clock import SystemClock
from meltwatch.collect.opcua.player import node_of
from meltwatch.collect.opcua.port import OpcUa
from meltwatch.collect.opcua.source import OpcUaSource
from meltwatch.collect.simulate.accident import WaterLost
from meltwatch.collect.simulate.errors import AccidentRefused
from meltwatch.model.ids import UnitId
from tests.durability.sender import free_port

WELL = Simulate(kind="dc-fixed", unit=UnitId("well-1"), port=0)
NOW = 1_700_000_000_250


def test_the_first_second_is_the_present_one_and_every_point_has_its_unit() -> None:
    first, second = itertools.islice(seconds_of(WELL, NOW), 2)
    assert first[0] == NOW - 250
    assert second[0] == first[0] + 1000
    assert {code.partition("/")[0] for code, *_ in first[1]} == {"well-1"}
    assert {at for _, at, _, _ in second[1]} == {second[0]}


def test_an_accident_counts_from_the_first_second_shown() -> None:
    lost = WaterLost(start_s=20, drain="stays_closed")
    told = Simulate(kind="dc-fixed", unit=UnitId("well-1"), port=0, accidents=(lost,))
    flow = [
        value
        for _, rows in itertools.islice(seconds_of(told, NOW), 60)
        for code, _, value, _ in rows
        if code == "well-1/mould_flow"
    ]
    assert min(flow[:20]) > 150
    assert min(flow[20:]) < 90


def test_an_accident_is_told_as_data() -> None:
    told = accident_of("{name: water_lost, start_s: 20, drain: stays_closed}")
    assert told == WaterLost(start_s=20, drain="stays_closed")


@pytest.mark.parametrize("text", ["water", "{name: water_lost}", "{name: flood, start_s: 1}", "{"])
def test_an_accident_that_is_none_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(AccidentRefused) as refused:
        accident_of(text)
    assert refused.value.problems[0].place == f"--accident {text}"


async def read_some(port: int, seconds: int) -> list[tuple[str, int, float, int]]:
    asked = OpcUa(
        endpoint=f"opc.tcp://127.0.0.1:{port}/meltwatch",
        mapping=mapping_of("dc-fixed", UnitId("well-1")),
        clock_node=node_of("clock"),
        domain="recorded",
    )
    rows: dict[tuple[str, int], tuple[str, int, float, int]] = {}
    source = OpcUaSource(asked, SystemClock(), random.Random(1))
    async with aclosing(source.batches()) as batches:
        first = None
        async for batch in batches:
            rows |= {(code, at): (code, at, value, bits) for code, at, value, bits in batch.rows}
            first = batch.complete_from if first is None else first
            if batch.complete_to - first >= seconds * 1000:
                break
    return sorted(rows.values())


def test_what_a_gateway_reads_is_what_the_ledger_says(tmp_path: Path) -> None:

    ledger = tmp_path / "told.csv"
    told = Simulate(
        kind="dc-fixed", unit=UnitId("well-1"), port=free_port(), ledger=ledger, wait_s=20
    )
    process = subprocess.Popen([sys.executable, "-m", "meltwatch.apps.cli", *argv_of(told)])
    try:
        read = asyncio.run(asyncio.wait_for(read_some(told.port, 4), 40))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with ledger.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == HEADER
    noted = sorted((code, int(at), float(value), int(bits)) for code, at, value, bits in lines)
    last = max(at for _, at, _, _ in read)
    assert len({at for _, at, _, _ in read}) >= 4
    assert read == [row for row in noted if row[1] <= last]
