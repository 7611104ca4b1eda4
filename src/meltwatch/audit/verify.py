"""Are the chains of a node sound, and do they fit each other? Pure: rows come in, findings go out.

Each chain is looked at alone, and then every anchor: the head of the other chain that a row
carries must be a row there. So a chain that was cut or made anew is found by the other one. Kept
in memory for it: a hash and an anchor for each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from meltwatch.audit.chain import NOTHING, Head, Row, wrong_with
from meltwatch.errors import Problem
from meltwatch.model.reason import Params


class Chain(msgspec.Struct, frozen=True):
    """A chain that was read to its end: how many rows it has, and the head to write on paper."""

    rows: int
    head: Head


class Verdict(msgspec.Struct, frozen=True):
    """What the chains are, in the order given, and all that is wrong with them."""

    chains: tuple[Chain, ...]
    problems: tuple[Problem, ...]


def verify(
    chains: Mapping[str, Iterable[Row]],
    *,
    until: Mapping[str, int] | None = None,
    known: Sequence[Head] = (),
) -> Verdict:
    """Read every chain once, in the order given.

    `known`: heads that a paper says the chains had. `until`: rows of a chain above this number may
    be younger than what is read of the other one: their anchors are left for the next time.
    """
    walks = {name: _Walk(name, (until or {}).get(name)) for name in chains}
    found: list[Problem] = []
    for name, rows in chains.items():
        found += wrong_with(walks[name].noting(rows), Head(name))
    for walk in walks.values():
        found += _loose(walk.anchors, walks)
    for head in known:
        reached = walks.get(head.chain, _Walk(head.chain))
        if not reached.has(head):
            place, rows_there = f"{head.chain}/{head.number}", reached.head.number
            found.append(Problem(place, "audit.not_the_known_head", {"rows": rows_there}))
    return Verdict(tuple(Chain(walk.rows, walk.head) for walk in walks.values()), tuple(found))


class _Walk:
    """What was seen of a chain: its hashes by number, and who tells which head of the other."""

    def __init__(self, name: str, until: int | None = None) -> None:
        self.head = Head(name)
        self.rows = 0
        self.anchors: dict[Head, str] = {}
        self._until = until
        self._hashes = {0: NOTHING}

    def noting(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            self.head = Head(self.head.chain, row.number, row.hash)
            self._hashes[row.number] = row.hash
            old = self._until is None or row.number <= self._until
            if old and row.deed.other is not None:
                self.anchors.setdefault(row.deed.other, f"{row.chain}/{row.number}")
            yield row

    def has(self, head: Head) -> bool:
        return self._hashes.get(head.number) == head.hash


def _loose(anchors: Mapping[Head, str], walks: Mapping[str, _Walk]) -> Iterator[Problem]:
    """Yield the anchors that hold in nothing; of those behind a chain's end only the furthest."""
    furthest: dict[str, Head] = {}
    for told, place in anchors.items():
        walk = walks.get(told.chain, _Walk(told.chain))
        if told.number > walk.head.number:
            if told.number > furthest.get(told.chain, walk.head).number:
                furthest[told.chain] = told
        elif not walk.has(told):
            loose: Params = {"chain": told.chain, "number": told.number}
            yield Problem(place, "audit.anchor_loose", loose)
    for name, told in furthest.items():
        end = walks[name].head.number if name in walks else 0
        cut: Params = {"rows": end, "told_by": anchors[told]}
        yield Problem(f"{name}/{told.number}", "audit.chain_cut", cut)
