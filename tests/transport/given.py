"""What the tests of transport start from: a plant with two gateways, their keys, a frame."""

from __future__ import annotations

from typing import Any

import msgspec

from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.transport.frame import Frame, encode
from meltwatch.transport.intake import Checked, Header, check_header
from meltwatch.transport.points import book_of
from meltwatch.transport.rows import cells_of
from meltwatch.transport.signature import Key, PrivateKey, SharedSecret, sign

NOW = 1_754_000_001_200
GATEWAY, OTHER, PLAYED = SourceId("gw-1"), SourceId("gw-2"), SourceId("player")
EPOCH = EpochId("0198628c0400-00112233445566aa")
PRESSURE = PointCode("well-1/mould_pressure")
FLOW = PointCode("well-1/mould_flow")
PHASE = PointCode("well-1/phase")
FOREIGN = PointCode("well-2/mould_pressure")
TAPED = PointCode("tape/level")

PLANT = Plant(
    enterprise=EnterpriseId("e-1"),
    module="aluminium-dc",
    points={
        PRESSURE: Point(unit="MPa", range=(0, 1.0), source=GATEWAY),
        FLOW: Point(unit="m3/h", range=(0, 400), source=GATEWAY),
        PHASE: Point(unit="state", states={0: "idle", 3: "casting"}, source=GATEWAY),
        FOREIGN: Point(unit="MPa", source=OTHER),
        TAPED: Point(unit="mm", source=PLAYED),
    },
    conditions={},
    sources={GATEWAY: Source(), OTHER: Source(), PLAYED: Source(clock="recorded")},
)
BOOK = book_of(PLANT, GATEWAY)

SECRET = SharedSecret(gateway=GATEWAY, secret=b"an-example-secret-never-used")
PRIVATE = PrivateKey(gateway=GATEWAY, seed=bytes(range(32)))
KEYS: dict[str, Key] = {
    "gw-1.a": SECRET,
    "gw-1.b": PRIVATE.public(),
    "gw-2.a": SharedSecret(gateway=OTHER, secret=b"another secret"),
    "gw-9.a": SharedSecret(gateway=SourceId("gw-9"), secret=b"of a gateway that no plant has"),
    "player.a": SharedSecret(gateway=PLAYED, secret=b"a tape"),
}

FRAME = Frame(
    gateway=GATEWAY,
    epoch=EPOCH,
    seq=1,
    mark="real",
    complete_from=1_754_000_000_000,
    complete_to=1_754_000_001_000,
    rows=[[PRESSURE, 1_754_000_000_500, 0.21]],
)


def frame(**changes: Any) -> Frame:
    """Return the example frame with some fields changed."""
    return msgspec.structs.replace(FRAME, **changes)


def body_with(**changes: Any) -> bytes:
    """Return a body as a stranger would write it, fields changed to anything; `...` removes one."""
    fields = msgspec.json.decode(encode(FRAME)) | changes
    return msgspec.json.encode({name: one for name, one in fields.items() if one is not ...})


def signed(body: bytes, key: str = "gw-1.a") -> Header:
    """Return the headers with which a holder of a key sends the body."""
    private = KEYS[key] if key != "gw-1.b" else PRIVATE
    assert isinstance(private, SharedSecret | PrivateKey)
    return Header(key=key, signature=sign(private, body))


def take(told: Frame | bytes, key: str = "gw-1.a", header: Header | None = None) -> Checked:
    """Check a frame at intake, properly signed unless a header is given; rows as they came."""
    body = told if isinstance(told, bytes) else encode(told)
    checked = check_header(
        body, header or signed(body, key), keys=KEYS, sources=PLANT.sources, now=NOW
    )
    rows = [cells_of(row) for row in checked.frame.rows]
    frame = msgspec.structs.replace(checked.frame, rows=rows)
    return msgspec.structs.replace(checked, frame=frame)
