"""Short ways to say deeds and chains."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from meltwatch.audit.chain import Deed, Head, Row, following, head_after
from meltwatch.errors import Problem


def deed(who: str = "li", action: str = "acknowledge", **rest: object) -> Deed:
    """Return a deed: 李 acknowledges an alarm, unless told otherwise."""
    told = {"at": 1_000, "role": "shift", "node": "plant-1", "origin": "10.0.0.5", **rest}
    return Deed(who=who, action=action, subject="well-1/mould_flow.LL", **told)  # type: ignore[arg-type]


def chain(deeds: Sequence[Deed], begin: Head | None = None) -> list[Row]:
    """Return the rows that these deeds make, in the chain `core` unless told otherwise."""
    head, rows = begin or Head("core"), []
    for told in deeds:
        rows.append(following(head, told))
        head = head_after(rows[-1])
    return rows


def keys(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """Return where and what each problem is."""
    return [(problem.place, problem.key) for problem in problems]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FIGURES = TEXTS | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
DEEDS = st.builds(
    Deed,
    at=st.integers(0, 2**50),
    who=TEXTS,
    role=TEXTS,
    node=TEXTS,
    origin=TEXTS,
    action=TEXTS,
    subject=TEXTS,
    why=TEXTS,
    outcome=st.sampled_from(["done", "command.unknown"]),
    params=st.dictionaries(TEXTS, FIGURES, max_size=3),
    other=st.none() | st.builds(Head, st.just("web"), st.integers(0, 99), st.binary(max_size=32)),
)
