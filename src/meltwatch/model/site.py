"""What people call an enterprise and its parts: for screens, reports and regions, never judged.

The journey does not read it, so it stays out of the log: a better name changes no evidence.
"""

from __future__ import annotations

import msgspec

from meltwatch.model.ids import EnterpriseId, UnitId
from meltwatch.model.plant import Module


class Text(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A wording in both languages: `[中文, English]`."""

    zh: str
    en: str


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of a plant (a well, a furnace) and which template it is an instance of."""

    name: Text
    template: str


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """An enterprise as people know it.

    `region`: the county's six-digit code (GB/T 2260). `simulation`: nothing here is a real plant,
    and every screen says so. `names`: the wording of bare names: points, conditions and words of
    states (`mould_flow`, `mould_flow.LL`, `casting`).
    """

    enterprise: EnterpriseId
    name: Text
    module: Module
    region: str
    region_name: Text
    simulation: bool
    units: dict[UnitId, Unit]
    names: dict[str, Text]

    def named(self, bare: str) -> Text:
        """Return the wording of a bare name; the name itself where nobody has worded it."""
        return self.names.get(bare) or Text(bare, bare)
