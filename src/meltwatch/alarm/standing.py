"""The states of an occurrence (ISA-18.2, clause 5.4) as a table: all transitions live here.

A pair that the table does not have is refused and changes nothing.
"""

from __future__ import annotations

from enum import Enum

from meltwatch.errors import CommandRefused, Problem


class Standing(Enum):
    """Where an occurrence stands."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    NORMAL = "normal"
    WITHDRAWN = "withdrawn"


class Happens(Enum):
    """What can happen to an occurrence after its raise."""

    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    REVIVE = "revive"
    WITHDRAW = "withdraw"


_S, _H = Standing, Happens

TABLE: dict[tuple[Standing, Happens], Standing] = {
    (_S.UNACKNOWLEDGED, _H.RETURN): _S.RETURNED_UNACKNOWLEDGED,
    (_S.UNACKNOWLEDGED, _H.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.UNACKNOWLEDGED, _H.WITHDRAW): _S.WITHDRAWN,
    (_S.ACKNOWLEDGED, _H.RETURN): _S.NORMAL,
    (_S.ACKNOWLEDGED, _H.WITHDRAW): _S.WITHDRAWN,
    (_S.RETURNED_UNACKNOWLEDGED, _H.ACKNOWLEDGE): _S.NORMAL,
    (_S.RETURNED_UNACKNOWLEDGED, _H.REVIVE): _S.UNACKNOWLEDGED,
    (_S.RETURNED_UNACKNOWLEDGED, _H.WITHDRAW): _S.WITHDRAWN,
    (_S.NORMAL, _H.REVIVE): _S.UNACKNOWLEDGED,
    (_S.NORMAL, _H.WITHDRAW): _S.WITHDRAWN,
    (_S.WITHDRAWN, _H.REVIVE): _S.UNACKNOWLEDGED,
}


def after(standing: Standing, happens: Happens) -> Standing:
    """Return the next standing.

    Raises CommandRefused when the table has no such transition.
    """
    try:
        return TABLE[standing, happens]
    except KeyError:
        told: dict[str, str | int | float] = {"from": standing.value, "event": happens.value}
        raise CommandRefused([Problem("occurrence", "no_such_transition", told)]) from None
