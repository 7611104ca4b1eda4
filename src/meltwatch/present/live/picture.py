"""A picture of one enterprise and the deltas that carry it on: the seam between core and web.

The core makes them from committed effects; web keeps a copy, and screens keep a copy of web's.
`apply` is the one way in which a picture goes on, so all copies agree. Bounded: settled occurrences
and closed cases leave it (`gone`) after `KEPT_MS`, the store keeps them.
"""

from __future__ import annotations

import msgspec

from meltwatch.alarm.occurrence import Occurrence
from meltwatch.errors import MeltwatchError
from meltwatch.handling.case import Case
from meltwatch.model.ids import CaseId, EnterpriseId, OccurrenceId, PointCode, SourceId
from meltwatch.model.plant import Plant
from meltwatch.model.risk_model import RiskModel
from meltwatch.risk.colour import Assessment

KEPT_MS = 24 * 3_600_000
"""How long a settled occurrence or a closed case stays in the picture, by the owner's clock."""


class Latest(msgspec.Struct, frozen=True, array_like=True):
    """A point's newest value: its instant (ms UTC), value (None: none to show), quality bits."""

    at: int
    value: float | None
    quality: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway as the core hears it: its live run's end, when a frame last came, since when gone.

    Instants ms UTC; `heard_at` and `offline_since` by the owner's clock. `offline_since` stands
    also for a plant that has no `offline` condition.
    """

    complete_to: int | None = None
    heard_at: int | None = None
    offline_since: int | None = None


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta"):
    """What has changed since the picture or delta with the number before.

    Each named thing replaces the former one whole. `assessment` None: unchanged.
    """

    enterprise: EnterpriseId
    number: int
    now: int
    values: dict[PointCode, Latest] = {}
    lines: dict[SourceId, Line] = {}
    occurrences: tuple[Occurrence, ...] = ()
    cases: tuple[Case, ...] = ()
    gone: tuple[str, ...] = ()
    assessment: Assessment | None = None


class Picture(msgspec.Struct, kw_only=True, tag="picture"):
    """All that is so now; `number` is the last delta's in it, `now` the owner's clock then.

    A changed configuration comes as a new picture. `plant` None: not configured yet.
    """

    enterprise: EnterpriseId
    number: int = 0
    now: int = 0
    plant: Plant | None = None
    risk_model: RiskModel | None = None
    values: dict[PointCode, Latest] = {}
    lines: dict[SourceId, Line] = {}
    occurrences: dict[OccurrenceId, Occurrence] = {}
    cases: dict[CaseId, Case] = {}
    assessment: Assessment | None = None


class Missed(MeltwatchError):
    """A delta does not follow on the picture: ask for a new picture."""


Told = Picture | Delta


def apply(picture: Picture, delta: Delta) -> None:
    """Carry a picture on by one delta, in place.

    Raises Missed for one that does not follow; the picture is then as it was.
    """
    if delta.enterprise != picture.enterprise or delta.number != picture.number + 1:
        raise Missed(f"{picture.enterprise}: {delta.number} does not follow {picture.number}")
    picture.number, picture.now = delta.number, delta.now
    picture.values.update(delta.values)
    picture.lines.update(delta.lines)
    picture.occurrences.update({one.id: one for one in delta.occurrences})
    picture.cases.update({one.id: one for one in delta.cases})
    for name in delta.gone:
        picture.occurrences.pop(OccurrenceId(name), None)
        picture.cases.pop(CaseId(name), None)
    if delta.assessment is not None:
        picture.assessment = delta.assessment
