"""The table of an occurrence's states: what may happen, and that nothing else does."""

from __future__ import annotations

import itertools

import pytest

from meltwatch.alarm.standing import TABLE, Happens, Standing, after
from meltwatch.errors import CommandRefused

U, A = Standing.UNACKNOWLEDGED, Standing.ACKNOWLEDGED
R, N, W = Standing.RETURNED_UNACKNOWLEDGED, Standing.NORMAL, Standing.WITHDRAWN

EXPECTED = {
    (U, Happens.RETURN): R,
    (U, Happens.ACKNOWLEDGE): A,
    (U, Happens.WITHDRAW): W,
    (A, Happens.RETURN): N,
    (A, Happens.WITHDRAW): W,
    (R, Happens.ACKNOWLEDGE): N,
    (R, Happens.REVIVE): U,
    (R, Happens.WITHDRAW): W,
    (N, Happens.REVIVE): U,
    (N, Happens.WITHDRAW): W,
    (W, Happens.REVIVE): U,
}


@pytest.mark.parametrize(("standing", "happens"), list(itertools.product(Standing, Happens)))
def test_every_pair_of_state_and_event(standing: Standing, happens: Happens) -> None:
    if (standing, happens) in EXPECTED:
        assert after(standing, happens) is EXPECTED[standing, happens]
    else:
        with pytest.raises(CommandRefused):
            after(standing, happens)


def test_every_state_can_be_reached() -> None:
    assert {U, *TABLE.values()} == set(Standing)
