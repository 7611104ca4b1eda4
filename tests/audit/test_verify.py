"""Two chains carry each other's heads: neither can be cut or made anew alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from meltwatch.audit.chain import Deed, Head, Row, following, head_after
from meltwatch.audit.verify import Chain, Verdict, verify
from tests.audit.telling import chain, deed, keys

CORE, WEB = Head("core"), Head("web")


def told(turns: Sequence[str]) -> dict[str, list[Row]]:
    """Return the chains of a node: each turn adds a row that carries the other chain's head."""
    rows: dict[str, list[Row]] = {"web": [], "core": []}
    heads = {"web": WEB, "core": CORE}
    for at, name in enumerate(turns):
        other = heads["core" if name == "web" else "web"]
        rows[name].append(following(heads[name], deed(at=at, other=other)))
        heads[name] = head_after(rows[name][-1])
    return rows


def found(verdict: Verdict) -> list[tuple[str, str]]:
    return keys(verdict.problems)


def anew(rows: Sequence[Row], begin: Head, **change: object) -> list[Row]:
    """Return a sound chain of the same deeds, each a little changed."""
    deeds = [Deed(**{**_fields(row.deed), **change}) for row in rows]  # type: ignore[arg-type]
    return chain(deeds, begin)


def _fields(one: Deed) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_chains_that_fit_are_told_with_their_heads() -> None:
    rows = told(["web", "core", "web"])
    verdict = verify(rows)
    assert verdict.problems == ()
    assert verdict.chains == (
        Chain(2, head_after(rows["web"][-1])),
        Chain(1, head_after(rows["core"][-1])),
    )


def test_a_node_without_people_has_sound_chains() -> None:
    assert verify({"core": []}) == Verdict((Chain(0, CORE),), ())


def test_what_is_wrong_with_a_chain_alone_is_told() -> None:
    rows = told(["core"] * 4)
    del rows["core"][1]
    assert found(verify(rows)) == [("core/3", "audit.out_of_place")]


def test_a_chain_made_anew_is_found_by_the_other() -> None:
    rows = told(["core", "web", "core", "web"])
    rows["core"] = anew(rows["core"], CORE, who="nobody")
    verdict = verify(rows)
    assert found(verdict) == [
        ("web/1", "audit.anchor_loose"),
        ("web/2", "audit.anchor_loose"),
    ]
    assert verdict.problems[0].params == {"chain": "core", "number": 1}


def test_a_chain_cut_at_its_end_is_found_by_the_other_and_told_once() -> None:
    rows = told(["core", "web", "core", "web", "core", "web"])
    del rows["core"][1:]
    (problem,) = verify(rows).problems
    assert (problem.place, problem.key) == ("core/3", "audit.chain_cut")
    assert problem.params == {"rows": 1, "told_by": "web/3"}


def test_a_register_that_was_deleted_is_found() -> None:
    rows = told(["web", "core"])
    del rows["web"]
    (problem,) = verify(rows).problems
    assert (problem.place, problem.key) == ("web/1", "audit.chain_cut")
    assert problem.params == {"rows": 0, "told_by": "core/1"}


def test_a_register_that_never_was_is_not_missed() -> None:
    assert verify({"core": told(["core"])["core"]}).problems == ()


def test_a_paper_finds_what_both_chains_hide() -> None:
    """Who can write both files can make both anew; a head that was written down is not his."""
    rows = told(["web", "core"])
    paper = [head_after(rows["core"][-1])]
    assert verify(rows, known=paper).problems == ()
    assert verify({}, known=[CORE]).problems == ()
    (problem,) = verify({"web": [], "core": []}, known=paper).problems
    assert (problem.place, problem.key) == ("core/1", "audit.not_the_known_head")
    assert problem.params == {"rows": 0}
    assert found(verify({}, known=paper)) == [("core/1", "audit.not_the_known_head")]


def test_rows_that_came_while_reading_are_left_for_the_next_time() -> None:
    """`web/2` was written after web was read; the core row that tells of it is younger too."""
    rows = told(["web", "core", "web", "core"])
    read = {"web": rows["web"][:1], "core": rows["core"]}
    assert found(verify(read)) == [("web/2", "audit.chain_cut")]
    assert found(verify(read, until={"core": 1})) == []


def test_the_chains_are_read_one_after_the_other_in_the_order_given() -> None:
    read: list[str] = []

    def reading(rows: list[Row]) -> Iterator[Row]:
        for row in rows:
            read.append(row.chain)
            yield row

    rows = told(["core", "web", "core"])
    verify({name: reading(these) for name, these in rows.items()})
    assert read == ["web", "core", "core"]


TURNS = st.lists(st.sampled_from(["web", "core"]), min_size=1, max_size=10)


@given(TURNS)
def test_untouched_chains_fit(turns: list[str]) -> None:
    verdict = verify(told(turns))
    assert verdict.problems == ()
    assert sum(one.rows for one in verdict.chains) == len(turns)


@given(TURNS, st.data())
def test_a_chain_made_anew_from_a_row_that_the_other_knows_is_found(
    turns: list[str], data: st.DataObject
) -> None:
    rows = told(turns)
    mine, other = data.draw(st.permutations(["web", "core"]))
    known = max((row.deed.other.number for row in rows[other] if row.deed.other), default=0)
    if not rows[mine]:
        return
    first = data.draw(st.integers(1, len(rows[mine])))
    kept = rows[mine][: first - 1]
    begin = head_after(kept[-1]) if kept else Head(mine)
    rows[mine] = kept + anew(rows[mine][first - 1 :], begin, who="nobody")
    assert (verify(rows).problems != ()) is (first <= known)


@given(TURNS, st.data())
def test_a_chain_cut_before_a_row_that_the_other_knows_is_found(
    turns: list[str], data: st.DataObject
) -> None:
    rows = told(turns)
    mine, other = data.draw(st.permutations(["web", "core"]))
    known = max((row.deed.other.number for row in rows[other] if row.deed.other), default=0)
    left = data.draw(st.integers(0, len(rows[mine])))
    del rows[mine][left:]
    assert (verify(rows).problems != ()) is (left < known)
