"""The server's clock as a gateway estimates it: near enough, steady, and it never stands."""

from __future__ import annotations

import random
from itertools import pairwise

from meltwatch.transport.server_clock import SLEW, STEP_MS, ServerClock

SERVER, MONOTONIC = 1_754_000_000_000, 5_000_000


def test_it_is_our_own_until_the_server_has_answered() -> None:
    clock = ServerClock(SERVER + 300, MONOTONIC)
    assert clock.now(MONOTONIC + 1_000) == SERVER + 1_300


def test_a_small_error_is_slewed_and_time_never_goes_back() -> None:
    clock = ServerClock(SERVER + 1_000, MONOTONIC)
    now, told = MONOTONIC, []
    for _ in range(200):
        assert clock.hear(now, now + 20, SERVER + (now + 10 - MONOTONIC)) == 0
        told.append(clock.now(now + 20))
        now += 200
    assert all(later > earlier for earlier, later in pairwise(told))
    assert abs(told[-1] - (SERVER + now - 180 - MONOTONIC)) <= 1
    halfway = told[50] - (SERVER + 50 * 200 + 20)
    assert abs(halfway - (1_000 - SLEW * 50 * 200)) < 20, "no faster than it may"


def test_a_great_error_is_a_step_that_is_told() -> None:
    for off_ms in (3_600_000, -3_600_000):
        clock = ServerClock(SERVER + off_ms, MONOTONIC)
        step = clock.hear(MONOTONIC, MONOTONIC + 40, SERVER + 20)
        assert abs(step + off_ms) <= 2
        assert clock.now(MONOTONIC + 40) == SERVER + 40
        assert clock.hear(MONOTONIC + 50, MONOTONIC + 60, SERVER + 55) == 0


def test_one_wild_answer_among_many_moves_nothing() -> None:
    chance = random.Random(7)
    clock = ServerClock(SERVER, MONOTONIC)
    now = MONOTONIC
    for n in range(100):
        there, back = chance.randint(1, 30), chance.randint(1, 30)
        wild = 10 * STEP_MS if n % 10 == 9 else 0
        assert clock.hear(now, now + there + back, SERVER + now + there - MONOTONIC + wild) == 0
        now += 500
        assert abs(clock.now(now) - (SERVER + now - MONOTONIC)) <= 20


def test_slow_round_trips_count_less() -> None:
    clock = ServerClock(SERVER, MONOTONIC)
    now = MONOTONIC
    for n in range(60):
        # The way back is slow nine times out of ten: half the round trip is a wrong guess.
        back = 5 if n % 5 == 0 else 1_900
        assert clock.hear(now, now + 5 + back, SERVER + now + 5 - MONOTONIC) == 0
        now += 2_000
    assert abs(clock.now(now) - (SERVER + now - MONOTONIC)) <= 5
