"""Names of things, each its own type, so that one cannot stand where another belongs.

Point codes and condition ids are `unit/name` (`well-1/mould_pressure.L`): a plant is made of
instances of typed templates, and ten wells are ten units with the same names inside.
"""

from __future__ import annotations

import hashlib
from typing import NewType

EnterpriseId = NewType("EnterpriseId", str)
UnitId = NewType("UnitId", str)
PointCode = NewType("PointCode", str)
ConditionId = NewType("ConditionId", str)
SourceId = NewType("SourceId", str)
EpochId = NewType("EpochId", str)
OccurrenceId = NewType("OccurrenceId", str)
CaseId = NewType("CaseId", str)
CommandId = NewType("CommandId", str)


def in_unit(unit: UnitId, name: str) -> str:
    """Return `unit/name`, the full code of a point or condition of a unit."""
    return f"{unit}/{name}"


def bare(code: str) -> str:
    """Return the name inside its unit: `well-1/phase` -> `phase`."""
    return code.rpartition("/")[2]


def occurrence_id(
    enterprise: EnterpriseId, condition: ConditionId, raised: int, nth: int = 1
) -> OccurrenceId:
    """Return the identity of an occurrence, made from its first published raise instant.

    The same facts always give the same id, on every node and after every restart; a later
    correction of the instant is an `amended` event and keeps the id. `nth` above 1: another was
    published at that very instant and amended to a different one.
    """
    told = "\n".join((enterprise, condition, str(raised), *([] if nth == 1 else [str(nth)])))
    return OccurrenceId(hashlib.sha256(told.encode()).hexdigest()[:32])


def case_id(first: OccurrenceId) -> CaseId:
    """Return the identity of a case, made from the occurrence that opened it."""
    return CaseId(hashlib.sha256(f"case\n{first}".encode()).hexdigest()[:32])
