"""Whatever is done to a chain behind the program's back is found; what was not touched is sound."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.audit.chain import (
    NOTHING,
    SPOILED,
    Deed,
    Head,
    Row,
    following,
    head_after,
    row_of,
    wrong_with,
)
from meltwatch.model.encoding import encode
from tests.audit.telling import DEEDS, FIGURES, TEXTS, chain, deed, keys

BEGIN = Head("core")
GOLDEN = bytes.fromhex(
    "0185a5636861696ea4636f7265a66e756d62657204a870726576696f7573c420000000000000000000000000"
    "0000000000000000000000000000000000000000a4646565648aa26174cd03e8a377686fa26c69a4726f6c65"
    "a57368696674a46e6f6465a7706c616e742d31a66f726967696ea831302e302e302e35a6616374696f6eab61"
    "636b6e6f776c65646765a77375626a656374b477656c6c2d312f6d6f756c645f666c6f772e4c4ca3776879a6"
    "e8afafe68aa5a6706172616d7381a56c696d6974cb404e400000000000a56f7468657283a5636861696ea377"
    "6562a66e756d62657207a468617368c420000102030405060708090a0b0c0d0e0f101112131415161718191a"
    "1b1c1d1e1fa468617368c420374dc94553de01612eb7b248e3182b8feef88f1cce1d0d16bba781bea73834bf"
)
CHAINS = st.lists(DEEDS, min_size=1, max_size=6).map(chain)


def five() -> list[Row]:
    """Return a chain of five deeds."""
    return chain([deed(at=second) for second in range(1, 6)])


def end(rows: list[Row]) -> Head:
    return head_after(rows[-1])


def test_each_row_carries_the_hash_of_the_row_before() -> None:
    first, second = chain([deed("li"), deed("wang")])
    assert (first.chain, first.number, first.previous) == ("core", 1, NOTHING)
    assert (second.number, second.previous) == (2, first.hash)
    assert len({first.hash, second.hash}) == 2
    assert wrong_with([first, second], BEGIN) == []


def test_the_stored_form_and_the_hash_never_change() -> None:
    """A golden row: whoever changes these bytes makes every chain out there unsound."""
    full = deed(why="误报", params={"limit": 60.5}, other=Head("web", 7, bytes(range(32))))
    row = following(Head("core", 3, bytes(32)), full)
    assert encode(row) == GOLDEN
    assert row.hash.hex() == "374dc94553de01612eb7b248e3182b8feef88f1cce1d0d16bba781bea73834bf"
    assert row_of(GOLDEN, "core", 4) == row


def test_the_hash_is_sm3_over_the_stored_row_without_it() -> None:
    (row,) = chain([deed()])
    told: dict[str, Any] = msgspec.msgpack.decode(encode(row)[1:])
    assert told.pop("hash") == row.hash
    if "sm3" not in hashlib.algorithms_available:
        pytest.skip("this OpenSSL has no SM3")
    assert hashlib.new("sm3", b"\x01" + msgspec.msgpack.encode(told)).digest() == row.hash


def test_a_field_that_holds_its_default_is_not_stored() -> None:
    """So a field with a default may be added to `Deed` without a new hash for any old row."""
    stored = encode(chain([deed()])[0])
    assert not any(name in stored for name in (b"why", b"outcome", b"params", b"other"))


def test_a_changed_row_is_named() -> None:
    rows = five()
    rows[2] = msgspec.structs.replace(rows[2], deed=deed("somebody else"))
    assert keys(wrong_with(rows, BEGIN)) == [("core/3", "audit.row_changed")]


def test_a_row_that_was_made_anew_breaks_the_chain_behind_it() -> None:
    rows = five()
    rows[2] = following(head_after(rows[1]), deed("somebody else"))
    assert keys(wrong_with(rows, BEGIN)) == [("core/4", "audit.chain_broken")]


def test_a_removed_row_leaves_its_place_empty() -> None:
    rows = five()
    del rows[2]
    (problem,) = wrong_with(rows, BEGIN)
    assert (problem.place, problem.key) == ("core/4", "audit.out_of_place")
    assert problem.params == {"expected": 3}


def test_a_row_of_another_chain_is_out_of_place() -> None:
    rows = five()
    rows[2] = msgspec.structs.replace(rows[2], chain="web")
    assert ("web/3", "audit.out_of_place") in keys(wrong_with(rows, BEGIN))


def test_a_chain_cut_at_its_end_is_sound_until_somebody_knows_its_head() -> None:
    rows = five()
    assert wrong_with(rows[:3], BEGIN) == []
    (problem,) = wrong_with(rows[:3], BEGIN, end(rows))
    assert (problem.place, problem.key) == ("core/5", "audit.not_the_known_head")
    assert problem.params == {"rows": 3}


def test_a_chain_that_went_on_still_has_its_known_head() -> None:
    rows = five()
    assert wrong_with(rows, BEGIN, head_after(rows[2])) == []
    assert wrong_with(rows[3:], head_after(rows[2]), head_after(rows[2])) == []
    assert wrong_with([], BEGIN, BEGIN) == []


def test_a_chain_made_anew_lacks_its_known_head() -> None:
    anew = chain([deed("nobody")] * 5)
    assert keys(wrong_with(anew, BEGIN, end(five()))) == [("core/5", "audit.not_the_known_head")]


def test_bytes_that_are_no_row_give_a_spoiled_one_and_the_chain_goes_on_behind_it() -> None:
    rows = five()
    spoiled = row_of(b"\x01?", "core", 5)
    assert (spoiled.number, spoiled.deed) == (5, SPOILED)
    rows[4:] = [spoiled, following(head_after(spoiled), deed("li"))]
    assert keys(wrong_with(rows, BEGIN)) == [("core/5", "audit.row_spoiled")]


@pytest.mark.parametrize(
    "stored", [b"", b"\x02\x80", b"\x01\x81\xa1\xff\xc0", b"\x01\x81\xa1x" + b"\x91" * 100_000]
)
def test_bytes_of_any_kind_only_spoil_their_row(stored: bytes) -> None:
    assert row_of(stored, "core", 1).deed == SPOILED


def test_a_row_in_the_place_of_another_is_a_spoiled_one() -> None:
    rows = five()
    assert row_of(encode(rows[2]), "core", 2).deed == SPOILED
    assert row_of(encode(rows[2]), "web", 3).deed == SPOILED


def test_a_name_that_was_changed_is_found_though_nothing_reads_it() -> None:
    """A decoder passes over a field that it does not know: the bytes decide, not what is read."""
    stored = encode(chain([deed(why="")])[0])
    more = msgspec.msgpack.decode(stored[1:])
    more["deed"]["whx"] = ""
    assert row_of(b"\x01" + msgspec.msgpack.encode(more), "core", 1).deed == SPOILED


@given(CHAINS)
def test_an_untouched_chain_is_sound(rows: list[Row]) -> None:
    kept = [row_of(encode(row), "core", row.number) for row in rows]
    assert kept == rows
    assert wrong_with(kept, BEGIN) == []
    assert wrong_with(kept, BEGIN, end(rows)) == []


@given(CHAINS, st.data())
def test_any_changed_field_is_found(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    row = rows[place]
    changes: list[st.SearchStrategy[Any]] = [
        st.builds(lambda told: {"deed": told}, DEEDS),
        st.builds(lambda told: {"chain": told}, TEXTS),
        st.builds(lambda told: {"number": told}, st.integers(-1, 9)),
        st.builds(lambda told: {"previous": told}, st.binary(max_size=32)),
        st.builds(lambda told: {"hash": told}, st.binary(max_size=32)),
        st.builds(
            lambda name, told: {
                "deed": msgspec.structs.replace(row.deed, params={**row.deed.params, name: told})
            },
            TEXTS,
            FIGURES,
        ),
    ]
    rows[place] = msgspec.structs.replace(row, **data.draw(st.one_of(changes)))
    same = encode(rows[place]) == encode(row)
    assert (wrong_with(rows, BEGIN) == []) is same


@given(CHAINS, st.data())
def test_any_changed_byte_is_found(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    stored = bytearray(encode(rows[place]))
    byte = data.draw(st.integers(0, len(stored) - 1))
    stored[byte] ^= data.draw(st.integers(1, 255))
    rows[place] = row_of(bytes(stored), "core", place + 1)
    assert wrong_with(rows, BEGIN) != []


@given(CHAINS, st.data())
def test_any_removed_row_is_found(rows: list[Row], data: st.DataObject) -> None:
    known = end(rows)
    del rows[data.draw(st.integers(0, len(rows) - 1))]
    assert wrong_with(rows, BEGIN, known) != []


@given(CHAINS, st.data())
def test_any_swapped_rows_are_found(rows: list[Row], data: st.DataObject) -> None:
    one = data.draw(st.integers(0, len(rows) - 1))
    two = data.draw(st.integers(0, len(rows) - 1))
    rows[one], rows[two] = rows[two], rows[one]
    assert (wrong_with(rows, BEGIN) == []) is (one == two)


@given(CHAINS, DEEDS, st.data())
def test_any_added_row_is_found(rows: list[Row], told: Deed, data: st.DataObject) -> None:
    """Even one that follows well: the next row does not follow it, or it is behind the end."""
    known = end(rows)
    place = data.draw(st.integers(0, len(rows) - 1))
    forged = following(head_after(rows[place - 1]) if place else BEGIN, told)
    rows.insert(place, data.draw(st.sampled_from([forged, *rows])))
    assert wrong_with(rows, BEGIN, known) != []


@given(CHAINS, st.data())
def test_any_cut_end_is_found_by_a_known_head(rows: list[Row], data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(rows) - 1))
    assert wrong_with(rows[:kept], BEGIN) == []
    assert wrong_with(rows[:kept], BEGIN, end(rows)) != []
