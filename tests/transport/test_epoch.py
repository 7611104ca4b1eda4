"""Epoch ids ascend whatever the clock does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.model.ids import EpochId
from meltwatch.transport.epoch import BadEpoch, new_epoch, started_ms

R1, R2 = bytes(8), bytes([255] * 8)
START = 1_754_000_000_000


def test_an_epoch_tells_its_start_in_hexadecimal_and_is_otherwise_random() -> None:
    epoch = new_epoch(START, None, bytes.fromhex("00112233445566aa"))
    assert epoch == f"{START:012x}-00112233445566aa" == "0198628c0400-00112233445566aa"
    assert started_ms(epoch) == START


@pytest.mark.parametrize(
    ("clock", "now", "start"),
    [
        ("went on", START + 700, START + 700),
        ("stood still", START, START + 1),
        ("went back an hour", START - 3_600_000, START + 1),
        ("fell back to 1970", 0, START + 1),
    ],
)
def test_an_epoch_is_greater_than_the_previous_one_though_the_clock(
    clock: str, now: int, start: int
) -> None:
    previous = new_epoch(START, None, R2)
    epoch = new_epoch(now, previous, R1)
    assert epoch > previous, clock
    assert started_ms(epoch) == start


@given(st.lists(st.tuples(st.integers(0, 2**47), st.binary(min_size=8, max_size=8)), min_size=2))
def test_epochs_of_a_gateway_sort_by_their_making(made: list[tuple[int, bytes]]) -> None:
    epochs: list[EpochId] = []
    for now, chance in made:
        epochs.append(new_epoch(now, epochs[-1] if epochs else None, chance))
    assert epochs == sorted(set(epochs))


@pytest.mark.parametrize(
    ("now", "previous", "chance"),
    [
        (-1, None, R1),
        (2**48, None, R1),
        (0, EpochId("ffffffffffff-0000000000000000"), R1),
        (0, EpochId("monday"), R1),
        (0, None, b"short"),
    ],
)
def test_what_gives_no_epoch_is_a_bug(now: int, previous: EpochId | None, chance: bytes) -> None:
    with pytest.raises(BadEpoch):
        new_epoch(now, previous, chance)
