"""A plant of two units and two gateways, and the frames that tell it: the same ones every time.

One frame a second of recorded time, four points a gateway. `recorded` and an `offline_s` of many
days keep the wall clock out of it, so that a run with kills in it must equal one without.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.sample import batch_of
from meltwatch.transport.frame import Frame, encode
from meltwatch.transport.signature import SharedSecret

START = 1_750_000_000_000
EPOCH = EpochId("0197bfa8b400-00000000000000aa")
UNITS = {SourceId("gw-1"): "well-1", SourceId("gw-2"): "well-2"}
KEYS = {
    name: SharedSecret(gateway=name, secret=f"only for trials, {name}".encode()) for name in UNITS
}

NODE = """\
node: durable-county
enterprises:
  durable:
    name: [耐久, Durable]
    module: aluminium-dc
    region: "370899"
    region_name: [示例县, Example County]
    units:
      well-1: {name: [1号井, Well 1], template: template.yaml, gateway: gw-1}
      well-2: {name: [2号井, Well 2], template: template.yaml, gateway: gw-2}
    gateways:
      gw-1:
        offline_s: 9000000
        clock: recorded
        key: {id: k-gw-1, hmac_sm3: "only for trials, gw-1"}
      gw-2:
        offline_s: 9000000
        clock: recorded
        key: {id: k-gw-2, hmac_sm3: "only for trials, gw-2"}
"""
TEMPLATE = """\
points:
  phase: {unit: state, states: {0: idle, 3: casting}}
  temp:  {unit: degC, stale_s: 20}
  flow:  {unit: m3/h, stale_s: 3}
  level: {unit: mm, stale_s: 20}
conditions:
  temp.H:
    {kind: high, point: temp, limit: 60, deadband: 2, on_delay_s: 2, off_delay_s: 3, level: 2}
  flow.L:
    {kind: low, point: flow, limit: 40, on_delay_s: 1, level: 3, when: {point: phase, in: [3]}}
  flow.silent: {kind: silent, point: flow, level: 3}
  level.H:     {kind: high, point: level, limit: 70, level: 4}
  trouble:     {kind: vote, of: [temp.H, flow.L, level.H], m: 2, off_delay_s: 2, level: 1}
"""


def write_node(directory: Path) -> Path:
    """Write the node's file and its template; return the path of the first."""
    (directory / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    path = directory / "node.yaml"
    path.write_text(NODE, encoding="utf-8")
    return path


def key_id(gateway: SourceId) -> str:
    """Return the id under which the node knows the gateway's key."""
    return f"k-{gateway}"


@cache
def body_of(gateway: SourceId, seq: int, *, leave_out: tuple[str, ...] = ()) -> bytes:
    """Return the bytes of a gateway's frame; they never change, however often it is sent."""
    frame = Frame(
        gateway=gateway,
        epoch=EPOCH,
        seq=seq,
        mark="real",
        complete_from=START + (seq - 1) * 1000,
        complete_to=START + seq * 1000,
        rows=[list(row) for row in _rows(gateway, seq) if not row[0].endswith(leave_out)],
    )
    return encode(frame)


def record_of(gateway: SourceId, seq: int, received_at: int) -> SamplesRecord:
    """Return what the log keeps of a frame, made without transport and intake."""
    return SamplesRecord(
        received_at=received_at,
        source=gateway,
        epoch=EPOCH,
        seq=seq,
        complete_from=START + (seq - 1) * 1000,
        complete_to=START + seq * 1000,
        samples=batch_of(
            (PointCode(code), at, value, 0) for code, at, value in _rows(gateway, seq)
        ),
    )


def _rows(gateway: SourceId, seq: int) -> list[tuple[str, int, float]]:
    """Return the samples of a second: values that wander, so that conditions come and go."""
    chance = random.Random(f"{gateway}/{seq // 6}")
    unit, at = UNITS[gateway], START + seq * 1000
    told: dict[str, Any] = {
        "phase": chance.choice([0, 3, 3]),
        "temp": chance.uniform(40, 75),
        "flow": chance.uniform(20, 80),
        "level": chance.uniform(40, 85),
    }
    if chance.random() < 0.15:
        del told["flow"]
    return [(f"{unit}/{name}", at, float(value)) for name, value in told.items()]
