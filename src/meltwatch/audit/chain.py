"""The chain itself: rows as data, how one follows another, and what is wrong with a chain.

Pure: whoever keeps rows gives them here. The hash is SM3 (GB/T 32905) over the version byte and
MessagePack of the row without its own hash (`model.encoding`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
from cryptography.hazmat.primitives.hashes import SM3, Hash

from meltwatch.errors import Problem
from meltwatch.model.encoding import UnknownEncoding, decode, encode

HASH_BYTES = 32
NOTHING = bytes(HASH_BYTES)
"""What stands before the first row."""


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: its name, the number of its last row (0: none) and that row's hash."""

    chain: str
    number: int = 0
    hash: bytes = NOTHING


class Deed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person did: who, in which role, at which node, from where, why, to what.

    `at`: ms UTC by the node's clock. `action`: a key (`sign_in`, `acknowledge`, `account.add`).
    `subject`: what it was done to (an occurrence's id, a login). `outcome`: `done`, or the key of
    the refusal. `other`: the head of the other chain as known then.

    A field that holds its default is not stored: one that is added later changes no old hash.
    """

    at: int
    who: str
    role: str
    node: str
    origin: str
    action: str
    subject: str
    why: str = ""
    outcome: str = "done"
    # Not `Params`: a truth value is an int to a type checker, and stored as what it is.
    params: dict[str, str | int | float | bool] = {}
    other: Head | None = None


SPOILED = Deed(at=0, who="", role="", node="", origin="", action="", subject="", outcome="spoiled")
"""What stands in a row whose stored bytes are no longer that row."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A deed in its place: the hash covers everything else, `previous` is the former row's."""

    chain: str
    number: int
    previous: bytes
    deed: Deed
    hash: bytes


class _Hashed(msgspec.Struct, frozen=True, kw_only=True):
    chain: str
    number: int
    previous: bytes
    deed: Deed


def following(head: Head, deed: Deed) -> Row:
    """Return the row that comes next."""
    number = head.number + 1
    return Row(
        chain=head.chain,
        number=number,
        previous=head.hash,
        deed=deed,
        hash=_hash(head.chain, number, head.hash, deed),
    )


def head_after(row: Row) -> Head:
    """Return the head that a row makes."""
    return Head(row.chain, row.number, row.hash)


def row_of(stored: bytes, chain: str, number: int) -> Row:
    """Return the row that was stored (`encode`) at a place in a chain.

    Bytes that are not exactly such a row's give a `SPOILED` one, hashed over the bytes: whoever
    writes goes on behind it, and `wrong_with` finds it for ever.
    """
    # Changed bytes may also be no text any more, or nest without end.
    with suppress(UnknownEncoding, ValueError, RecursionError):
        row: Row = decode(stored, Row)
        if (row.chain, row.number) == (chain, number) and encode(row) == stored:
            return row
    return Row(chain=chain, number=number, previous=NOTHING, deed=SPOILED, hash=_digest(stored))


def wrong_with(rows: Iterable[Row], begin: Head, end: Head | None = None) -> list[Problem]:
    """Return what is wrong with the rows behind `begin`, in order; empty if nothing is.

    `end`: a head, not before `begin`, that something else (the other chain, a paper) says the
    chain had: a chain cut off at its end is sound in itself.
    """
    found: list[Problem] = []
    head, met, spoiled = begin, end in (None, begin), False
    for row in rows:
        place = f"{row.chain}/{row.number}"
        if row.chain != head.chain or row.number != head.number + 1:
            found.append(Problem(place, "audit.out_of_place", {"expected": head.number + 1}))
        elif row.previous != head.hash and not spoiled and row.deed != SPOILED:
            found.append(Problem(place, "audit.chain_broken", {"before": head.number}))
        if row.deed == SPOILED:
            found.append(Problem(place, "audit.row_spoiled"))
        elif row.hash != _hash(row.chain, row.number, row.previous, row.deed):
            found.append(Problem(place, "audit.row_changed"))
        # Behind a spoiled row nobody knows which hash it had.
        spoiled = row.deed == SPOILED
        head = Head(head.chain, row.number, row.hash)
        met = met or head == end
    if end is not None and not met:
        place = f"{end.chain}/{end.number}"
        found.append(Problem(place, "audit.not_the_known_head", {"rows": head.number}))
    return found


def _hash(chain: str, number: int, previous: bytes, deed: Deed) -> bytes:
    return _digest(encode(_Hashed(chain=chain, number=number, previous=previous, deed=deed)))


def _digest(told: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(told)
    return digest.finalize()
