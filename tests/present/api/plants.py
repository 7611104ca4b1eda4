"""Two small plants to look at: a casting works with two wells, and a steel works elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec

from meltwatch.alarm.occurrence import Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.apps.defaults import default_risk_model
from meltwatch.handling.case import Case
from meltwatch.model.condition import Condition
from meltwatch.model.ids import (
    CaseId,
    ConditionId,
    EnterpriseId,
    OccurrenceId,
    PointCode,
    SourceId,
    UnitId,
)
from meltwatch.model.plant import Plant, Point, Source, UnitTemplate, instantiate
from meltwatch.model.reason import Reason
from meltwatch.model.site import Site, Text, Unit
from meltwatch.present.live.picture import Latest, Line, Picture

NOW = 1_750_000_000_000
"""2025-06-15 23:06:40 in China."""
CAST, STEEL = EnterpriseId("cast-works"), EnterpriseId("steel-works")
GW = SourceId("gw-1")
FLOW = PointCode("well-1/mould_flow")
LOW = ConditionId("well-1/mould_flow.LL")
ONE, HORN = CaseId("c" * 32), OccurrenceId("a" * 32)

_TEMPLATE = UnitTemplate(
    points={
        "phase": Point(unit="state", stale_s=60, states={0: "idle", 3: "casting"}),
        "mould_flow": Point(unit="m3/h", stale_s=10, range=(0, 400)),
        "drain_open": Point(unit="state", stale_s=10, states={0: "closed", 1: "open"}),
    },
    conditions={
        name: msgspec.convert(told, Condition)
        for name, told in {
            "mould_flow.LL": {
                "kind": "low",
                "level": 2,
                "point": "mould_flow",
                "limit": 90,
                "off_delay_s": 5,
                "when": {"point": "phase", "in": [3]},
            },
            "mould_flow.silent": {"kind": "silent", "level": 2, "point": "mould_flow"},
            "interlock.water": {
                "kind": "interlock",
                "level": 1,
                "cause": "mould_flow.LL",
                "effects": [{"point": "drain_open", "in": [1]}],
                "within_s": 3,
            },
            "gateway.offline": {"kind": "offline", "level": 2, "source": GW},
        }.items()
    },
)
_NAMES = {
    "phase": Text("铸造阶段", "Phase"),
    "mould_flow": Text("结晶器进水流量", "Mould water flow"),
    "drain_open": Text("紧急排放阀", "Emergency drain"),
    "idle": Text("待机", "idle"),
    "casting": Text("铸造", "casting"),
    "mould_flow.LL": Text("结晶器进水流量 低低", "Mould water flow very low"),
    "mould_flow.silent": Text("结晶器进水流量 断数", "Mould water flow silent"),
    "interlock.water": Text("断水联锁拒动", "Water interlock failed to act"),
    "gateway.offline": Text("网关离线", "Gateway offline"),
}


def _site(enterprise: EnterpriseId, region: str, units: dict[str, Text], **other: Any) -> Site:
    return Site(
        enterprise=enterprise,
        region=region,
        region_name=Text("某县", "Some County"),
        units={UnitId(name): Unit(name=text, template="well.yaml") for name, text in units.items()},
        names=_NAMES,
        **other,
    )


SITES = {
    CAST: _site(
        CAST,
        "370899",
        {"well-1": Text("1号井", "Well 1"), "well-2": Text("2号井", "Well 2")},
        name=Text("示例铝业", "Example Aluminium"),
        module="aluminium-dc",
        simulation=True,
    ),
    STEEL: _site(
        STEEL,
        "130200",
        {"well-1": Text("1号炉", "Furnace 1")},
        name=Text("示例钢铁", "Example Steel"),
        module="steel",
        simulation=False,
    ),
}


def plant(enterprise: EnterpriseId) -> Plant:
    points: dict[PointCode, Point] = {}
    conditions: dict[ConditionId, Any] = {}
    for unit in SITES[enterprise].units:
        own_points, own_conditions = instantiate(_TEMPLATE, unit, GW)
        points |= own_points
        conditions |= own_conditions
    return Plant(
        enterprise=enterprise,
        module=SITES[enterprise].module,
        points=points,
        conditions=conditions,
        sources={GW: Source()},
    )


def occurrence(**changed: Any) -> Occurrence:
    told: dict[str, Any] = {
        "id": HORN,
        "condition": LOW,
        "level": 2,
        "raised": NOW - 60_000,
        "returned": None,
        "flags": (),
        "visible_at": NOW - 60_000,
        "standing": Standing.UNACKNOWLEDGED,
        "reason": Reason(
            "low", {"point": FLOW, "limit": 90.0, "value": 86.25, "since": NOW - 61_000}
        ),
    }
    return Occurrence(**{**told, **changed})


def case(**changed: Any) -> Case:
    told: dict[str, Any] = {
        "id": ONE,
        "condition": LOW,
        "level": 2,
        "opened_at": NOW - 60_000,
        "occurrences": (HORN,),
    }
    return Case(**{**told, **changed})


def picture(enterprise: EnterpriseId, **changed: Any) -> Picture:
    """Return a picture without alarms, as fresh as `NOW`."""
    told: dict[str, Any] = {
        "enterprise": enterprise,
        "number": 7,
        "now": NOW,
        "plant": plant(enterprise),
        "risk_model": default_risk_model(),
        "values": {FLOW: Latest(NOW - 1_000, 120.5, 0)},
        "lines": {GW: Line(complete_to=NOW - 1_000, heard_at=NOW - 500)},
    }
    return Picture(**{**told, **changed})


def alarmed(enterprise: EnterpriseId = CAST) -> Picture:
    """Return a picture with one alarm and its case."""
    return picture(enterprise, occurrences={HORN: occurrence()}, cases={ONE: case()})
