"""A node's file: the enterprise, its units made from templates, its gateways and their keys.

    enterprise: demo-aluminium
    module: aluminium-dc
    units:
      well-1: {template: dc-fixed.yaml, gateway: gw-1}
    gateways:
      gw-1: {offline_s: 30, clock: live, key: {id: k1, hmac_sm3: a long random text}}

A template holds `points` and `conditions` under bare names; its file stands beside the node's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from meltwatch.collect.given import read_given
from meltwatch.errors import Problem, Refused
from meltwatch.evaluate.plan import plan_of
from meltwatch.model.condition import Condition
from meltwatch.model.ids import ConditionId, EnterpriseId, PointCode, SourceId, UnitId
from meltwatch.model.plant import (
    Module,
    Override,
    Plant,
    Point,
    Source,
    UnitTemplate,
    instantiate,
)
from meltwatch.transport.signature import Key, PublicKey, SharedSecret

LEAST_SECRET = 16
"""The least length of a shared secret, characters: with an empty one anybody says all is well."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gateway's key: its id, and either a shared secret or a public key in hexadecimal."""

    id: str
    hmac_sm3: str | None = None
    ed25519: str | None = None


class GatewayFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gateway."""

    key: KeyFile
    offline_s: float = 30.0
    clock: Literal["live", "recorded"] = "live"


class UnitFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A unit: an instance of a template, brought by one gateway."""

    template: str
    gateway: SourceId
    overrides: tuple[Override, ...] = ()


class NodeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node's file as written."""

    enterprise: EnterpriseId
    module: Module
    units: dict[UnitId, UnitFile]
    gateways: dict[SourceId, GatewayFile]
    grace_s: float = 5.0


class TemplateFile(msgspec.Struct, frozen=True, kw_only=True):
    """A template's file; what else stands in it (a plant's name, say) is left alone."""

    points: dict[str, Point]
    conditions: dict[str, Condition]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node's file, read and found sound."""

    plant: Plant
    keys: dict[str, Key]


class NodeRefused(Refused):
    """A node's file cannot be used; every reason is named, nothing is started."""


def node_of(path: Path) -> Node:
    """Read a node's file and the templates beside it.

    Raises NodeRefused, and PlantRefused for a plant that breaks a rule.
    """
    told: NodeFile = read_given(path, NodeFile, NodeRefused)
    points: dict[PointCode, Point] = {}
    conditions: dict[ConditionId, Condition] = {}
    for unit, file in told.units.items():
        template: TemplateFile = read_given(path.parent / file.template, TemplateFile, NodeRefused)
        made = UnitTemplate(points=template.points, conditions=template.conditions)
        if problems := list(_of_overrides(f"{path}/units/{unit}", file, template)):
            raise NodeRefused(problems)
        own_points, own_conditions = instantiate(made, unit, file.gateway, file.overrides)
        points |= own_points
        conditions |= own_conditions
    plant = Plant(
        enterprise=told.enterprise,
        module=told.module,
        points=points,
        conditions=conditions,
        sources={
            name: Source(offline_s=one.offline_s, clock=one.clock)
            for name, one in told.gateways.items()
        },
        grace_s=told.grace_s,
    )
    plan_of(plant)
    return Node(plant=plant, keys=_keys(path, told))


def _of_overrides(place: str, file: UnitFile, template: TemplateFile) -> Iterator[Problem]:
    for override in file.overrides:
        condition = template.conditions.get(override.condition)
        if condition is None:
            yield Problem(
                f"{place}/overrides", "unknown_condition", {"condition": override.condition}
            )
        elif not isinstance(getattr(condition, override.field, None), float | int):
            yield Problem(f"{place}/overrides", "no_such_figure", {"field": override.field})


def _keys(path: Path, told: NodeFile) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    problems: list[Problem] = []
    for name, gateway in told.gateways.items():
        file = gateway.key
        place = f"{path}/gateways/{name}/key"
        if not _NAME.fullmatch(name):
            problems.append(Problem(f"{path}/gateways/{name}", "no_name"))
        if (file.hmac_sm3 is None) == (file.ed25519 is None):
            problems.append(Problem(place, "one_kind_of_key"))
        elif file.id in keys:
            problems.append(Problem(place, "key_id_taken", {"id": file.id}))
        elif file.hmac_sm3 is not None and len(file.hmac_sm3) < LEAST_SECRET:
            problems.append(Problem(place, "secret_too_short", {"least": LEAST_SECRET}))
        elif file.hmac_sm3 is not None:
            keys[file.id] = SharedSecret(gateway=name, secret=file.hmac_sm3.encode())
        else:
            try:
                keys[file.id] = PublicKey(gateway=name, public=bytes.fromhex(file.ed25519 or ""))
            except ValueError as error:
                problems.append(Problem(place, "malformed", {"why": str(error)}))
    if problems:
        raise NodeRefused(problems)
    return keys
