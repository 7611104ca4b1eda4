"""A node's file: its enterprises, their units made from templates, their gateways and keys.

    node: example-county
    enterprises:
      example-aluminium:
        name: [示例铝业, Example Aluminium]
        module: aluminium-dc
        region: "370899"
        region_name: [示例县, Example County]
        units:
          well-1: {name: [1号铸造井, Casting well 1], template: well.yaml, gateway: gw-1}
        gateways:
          gw-1: {offline_s: 30, key: {id: k1, hmac_sm3: a long random text}}

A template holds `points`, `conditions` and their `names` under bare names; its file stands beside
the node's. `docs/formats/node.md` has every field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from meltwatch.collect.given import read_given
from meltwatch.errors import PlantRefused, Problem, Refused
from meltwatch.evaluate.plan import plan_of
from meltwatch.history.keeping import OURS, Keeping, problems_of
from meltwatch.model.condition import Condition, Offline
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
from meltwatch.model.site import Site, Text, Unit
from meltwatch.transport.signature import Key, PublicKey, SharedSecret

LEAST_SECRET = 16
"""The least length of a shared secret, characters: with an empty one anybody says all is well."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REGION = re.compile(r"[0-9]{6}")


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

    name: Text
    template: str
    gateway: SourceId
    overrides: tuple[Override, ...] = ()


class EnterpriseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An enterprise as written."""

    name: Text
    module: Module
    region: str
    region_name: Text
    units: dict[UnitId, UnitFile]
    gateways: dict[SourceId, GatewayFile]
    simulation: bool = False
    grace_s: float = 5.0


class NodeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node's file as written."""

    node: str
    enterprises: dict[EnterpriseId, EnterpriseFile]
    history: Keeping = OURS


class TemplateFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template's file as written.

    `plant` is what people call the type. `offline_s` and `grace_s` are read only to be refused
    with the place where they belong: a figure that is not used looks like protection.
    """

    points: dict[str, Point]
    conditions: dict[str, Condition]
    names: dict[str, Text] = {}
    plant: str | None = None
    module: Module | None = None
    offline_s: Any = None
    grace_s: Any = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node's file, read and found sound."""

    name: str
    sites: dict[EnterpriseId, Site]
    plants: dict[EnterpriseId, Plant]
    keys: dict[str, Key]
    keeping: Keeping = OURS


class NodeRefused(Refused):
    """A node's file cannot be used; every reason is named, nothing is started."""


def node_of(path: Path) -> Node:
    """Read a node's file and the templates beside it; raises NodeRefused with every reason."""
    told: NodeFile = read_given(path, NodeFile, NodeRefused)
    problems = list(_of_names(path, told))
    keys, of_keys = _keys(path, told)
    problems += of_keys
    sites: dict[EnterpriseId, Site] = {}
    plants: dict[EnterpriseId, Plant] = {}
    templates = _Templates(path.parent)
    for enterprise, file in told.enterprises.items():
        try:
            made = _Enterprise(path, enterprise, file, templates)
        except Refused as refused:
            problems += refused.problems
        else:
            sites[enterprise], plants[enterprise] = made.site(), made.plant
    codes = [code for plant in plants.values() for code in plant.points]
    problems += problems_of(told.history, f"{path}/history", codes)
    if problems:
        raise NodeRefused(problems)
    return Node(name=told.node, sites=sites, plants=plants, keys=keys, keeping=told.history)


class _Templates:
    """The template files beside a node's file, each read once."""

    def __init__(self, beside: Path) -> None:
        self._beside = beside
        self._read: dict[str, TemplateFile] = {}

    def read(self, name: str) -> TemplateFile:
        """Return a template; raises NodeRefused."""
        if name not in self._read:
            self._read[name] = read_given(self._beside / name, TemplateFile, NodeRefused)
        return self._read[name]


class _Enterprise:
    """One enterprise made from its file and the templates that it names."""

    def __init__(
        self, path: Path, enterprise: EnterpriseId, file: EnterpriseFile, templates: _Templates
    ) -> None:
        """Read and check; raises Refused with every reason."""
        self.enterprise, self.file = enterprise, file
        place = f"{path}/enterprises/{enterprise}"
        self.templates: dict[str, TemplateFile] = {
            name: templates.read(name)
            for name in dict.fromkeys(unit.template for unit in file.units.values())
        }
        problems = list(self._of_templates(path.parent))
        for unit, told in file.units.items():
            template = self.templates[told.template]
            problems += _of_overrides(f"{place}/units/{unit}", told, template)
        if problems:
            raise NodeRefused(problems)
        self.plant = self._plant()
        try:
            plan_of(self.plant)
        except PlantRefused as refused:
            raise NodeRefused(
                [
                    msgspec.structs.replace(one, place=f"{place}/{one.place}")
                    for one in refused.problems
                ]
            ) from refused
        if problems := list(_of_unwatched(place, self.plant)):
            raise NodeRefused(problems)

    def site(self) -> Site:
        """Return what people call it and its parts."""
        file = self.file
        return Site(
            enterprise=self.enterprise,
            name=file.name,
            module=file.module,
            region=file.region,
            region_name=file.region_name,
            simulation=file.simulation,
            units={
                unit: Unit(name=told.name, template=told.template)
                for unit, told in file.units.items()
            },
            names={
                name: text for one in self.templates.values() for name, text in one.names.items()
            },
        )

    def _plant(self) -> Plant:
        file = self.file
        points: dict[PointCode, Point] = {}
        conditions: dict[ConditionId, Condition] = {}
        for unit, told in file.units.items():
            template = self.templates[told.template]
            made = UnitTemplate(points=template.points, conditions=template.conditions)
            own_points, own_conditions = instantiate(made, unit, told.gateway, told.overrides)
            points |= own_points
            conditions |= {
                name: _watching(one, told.gateway) for name, one in own_conditions.items()
            }
        return Plant(
            enterprise=self.enterprise,
            module=file.module,
            points=points,
            conditions=conditions,
            sources={
                name: Source(offline_s=one.offline_s, clock=one.clock)
                for name, one in file.gateways.items()
            },
            grace_s=file.grace_s,
        )

    def _of_templates(self, beside: Path) -> Iterator[Problem]:
        worded: dict[str, Text] = {}
        for name, template in self.templates.items():
            place = str(beside / name)
            for field, at in (("offline_s", "at the gateway"), ("grace_s", "at the enterprise")):
                if getattr(template, field) is not None:
                    told = {"field": field, "at": at}
                    yield Problem(f"{place}/{field}", "not_in_a_template", dict(told))
            for bare, point in template.points.items():
                if point.source:
                    told = {"field": "source", "at": "gateway at the unit"}
                    yield Problem(f"{place}/points/{bare}", "not_in_a_template", dict(told))
            if template.module not in (None, self.file.module):
                other = {"told": template.module or "", "wanted": self.file.module}
                yield Problem(f"{place}/module", "template_of_another_module", dict(other))
            known = _bare_names(template)
            for bare, text in template.names.items():
                if bare not in known:
                    yield Problem(f"{place}/names/{bare}", "name_of_nothing")
                if worded.setdefault(bare, text) != text:
                    yield Problem(f"{place}/names/{bare}", "named_twice", {"zh": worded[bare].zh})


def _watching(condition: Condition, gateway: SourceId) -> Condition:
    """Return the condition; an `offline` one that names no gateway watches its unit's."""
    if isinstance(condition, Offline) and condition.source is None:
        return msgspec.structs.replace(condition, source=gateway)
    return condition


def _bare_names(template: TemplateFile) -> set[str]:
    """Return all that a template may word: points, conditions, words of states."""
    states = (word for point in template.points.values() for word in (point.states or {}).values())
    return {*template.points, *template.conditions, *states}


def _of_overrides(place: str, file: UnitFile, template: TemplateFile) -> Iterator[Problem]:
    for override in file.overrides:
        condition = template.conditions.get(override.condition)
        if condition is None:
            yield Problem(
                f"{place}/overrides", "unknown_condition", {"condition": override.condition}
            )
        elif not isinstance(getattr(condition, override.field, None), float | int):
            yield Problem(f"{place}/overrides", "no_such_figure", {"field": override.field})


def _of_unwatched(place: str, plant: Plant) -> Iterator[Problem]:
    """Yield the live gateways whose silence would raise nothing.

    A recorded one is exempt: the end of a played file is no accident.
    """
    watched = {one.source for one in plant.conditions.values() if isinstance(one, Offline)}
    for name, source in plant.sources.items():
        if source.clock == "live" and name not in watched:
            yield Problem(f"{place}/gateways/{name}", "gateway_without_offline")


def _of_names(path: Path, told: NodeFile) -> Iterator[Problem]:
    if not _NAME.fullmatch(told.node):
        yield Problem(f"{path}/node", "no_name")
    if not told.enterprises:
        yield Problem(f"{path}/enterprises", "no_enterprise")
    gateways: dict[SourceId, EnterpriseId] = {}
    for enterprise, file in told.enterprises.items():
        place = f"{path}/enterprises/{enterprise}"
        if not _NAME.fullmatch(enterprise):
            yield Problem(place, "no_name")
        if not _REGION.fullmatch(file.region):
            yield Problem(f"{place}/region", "no_region", {"told": file.region})
        for unit in file.units:
            if not _NAME.fullmatch(unit):
                yield Problem(f"{place}/units/{unit}", "no_name")
        for gateway in file.gateways:
            if not _NAME.fullmatch(gateway):
                yield Problem(f"{place}/gateways/{gateway}", "no_name")
            if gateways.setdefault(gateway, enterprise) != enterprise:
                other = {"enterprise": gateways[gateway]}
                yield Problem(f"{place}/gateways/{gateway}", "gateway_taken", dict(other))


def _keys(path: Path, told: NodeFile) -> tuple[dict[str, Key], list[Problem]]:
    keys: dict[str, Key] = {}
    problems: list[Problem] = []
    for enterprise, file in told.enterprises.items():
        for name, gateway in file.gateways.items():
            place = f"{path}/enterprises/{enterprise}/gateways/{name}/key"
            if gateway.key.id in keys:
                problems.append(Problem(place, "key_id_taken", {"id": gateway.key.id}))
                continue
            made = _key(place, name, gateway.key)
            if isinstance(made, Problem):
                problems.append(made)
            else:
                keys[gateway.key.id] = made
    return keys, problems


def _key(place: str, gateway: SourceId, file: KeyFile) -> Key | Problem:
    if (file.hmac_sm3 is None) == (file.ed25519 is None):
        return Problem(place, "one_kind_of_key")
    if file.hmac_sm3 is not None:
        if len(file.hmac_sm3) < LEAST_SECRET:
            return Problem(place, "secret_too_short", {"least": LEAST_SECRET})
        return SharedSecret(gateway=gateway, secret=file.hmac_sm3.encode())
    try:
        return PublicKey(gateway=gateway, public=bytes.fromhex(file.ed25519 or ""))
    except ValueError as error:
        return Problem(place, "malformed", {"why": str(error)})
