"""The journey, told frames of whole seconds, gives what the plain oracle gives."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.properties.deliveries import Telling, second_frames, told_apart
from tests.properties.generators import Case, case_of, picked
from tests.properties.oracle import undisturbed


@settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(picked(case_of))
def test_an_undisturbed_run_is_the_oracles(case: Case) -> None:
    """Same conditions, same instants, same flags, for all kinds but `offline`."""
    telling = Telling(case.plant).tell(second_frames(case), case.until)
    wanted = undisturbed(case.plant, case.rows, case.until)
    assert not told_apart(telling.happened(), wanted)
