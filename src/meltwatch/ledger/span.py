"""Do two ends hold the same of a source? Count and hash of a range of its numbers, compared.

Each end answers a question about a range with how many numbers it holds and one hash over them, so
that a million frames are compared by a few answers; where two answers differ the range is halved
until the differing numbers are known. Pure: who answers, and over which line, is others' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

MOST_NUMBERS = 50_000
"""The longest range of one question."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What one end holds of the numbers `first` to `last` of a source, both included.

    `hash`: SHA-256 in hexadecimal over each number held (8 bytes, big endian) and its digest, in
    order. `held_from`: the least number that this end can still compare, all before it are known
    by their number alone; `last_seq`: the greatest number that it ever had, 0 for none.
    """

    source: str
    first: int
    last: int
    count: int
    hash: str
    held_from: int
    last_seq: int


class Difference(msgspec.Struct, frozen=True):
    """Numbers of a source that the ends do not hold alike: `kind` says how."""

    source: str
    first: int
    last: int
    kind: str


HERE_ONLY, THERE_ONLY, UNLIKE = "here_only", "there_only", "unlike"

Ask = Callable[[str, int, int], Span]
"""Ask an end about a source's numbers from and to."""


def span_of(
    source: str,
    bounds: tuple[int, int],
    held: Iterable[tuple[int, bytes]],
    held_from: int,
    last_seq: int,
) -> Span:
    """Return the answer of an end that holds these (number, digest) of a range, in order."""
    digest, count = hashlib.sha256(), 0
    for seq, one in held:
        digest.update(seq.to_bytes(8, "big") + one)
        count += 1
    return Span(
        source=source,
        first=bounds[0],
        last=bounds[1],
        count=count,
        hash=digest.hexdigest(),
        held_from=held_from,
        last_seq=last_seq,
    )


def differences(here: Ask, there: Ask, source: str) -> list[Difference]:
    """Return what two ends do not hold alike of a source, in order, neighbours as one.

    Numbers that one end has had and can no longer compare are no difference.
    """
    mine, other = here(source, 1, 1), there(source, 1, 1)
    start = max(mine.held_from, other.held_from, 1)
    shared = min(mine.last_seq, other.last_seq)
    found: list[Difference] = []
    for first in range(start, shared + 1, MOST_NUMBERS):
        last = min(first + MOST_NUMBERS - 1, shared)
        found += _compared(here, there, source, first, last)
    if mine.last_seq != other.last_seq:
        kind = HERE_ONLY if mine.last_seq > other.last_seq else THERE_ONLY
        found.append(Difference(source, shared + 1, max(mine.last_seq, other.last_seq), kind))
    return list(_joined(found))


def _compared(here: Ask, there: Ask, source: str, first: int, last: int) -> Iterator[Difference]:
    mine, other = here(source, first, last), there(source, first, last)
    if (mine.count, mine.hash) == (other.count, other.hash):
        return
    whole = last - first + 1
    if {mine.count, other.count} == {0, whole}:
        yield Difference(source, first, last, HERE_ONLY if mine.count else THERE_ONLY)
    elif first == last:
        yield Difference(source, first, last, UNLIKE)
    else:
        middle = (first + last) // 2
        yield from _compared(here, there, source, first, middle)
        yield from _compared(here, there, source, middle + 1, last)


def _joined(found: Iterable[Difference]) -> Iterator[Difference]:
    waiting: Difference | None = None
    for one in found:
        if waiting and waiting.kind == one.kind and waiting.last + 1 == one.first:
            waiting = msgspec.structs.replace(waiting, last=one.last)
            continue
        if waiting:
            yield waiting
        waiting = one
    if waiting:
        yield waiting
