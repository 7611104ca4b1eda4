"""A node's file is used whole or refused whole, with place and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.apps.node import node_of
from meltwatch.apps.serve import claim
from meltwatch.errors import Refused

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATE = (EXAMPLES / "well.yaml").read_text("utf-8")
NODE = (EXAMPLES / "node.yaml").read_text("utf-8")


NO_CONDITION = "{condition: x, field: limit, value: 1, basis: b, approver: a}"
POINT_AS_FIGURE = "{condition: mould_flow.LL, field: point, value: 1, basis: b, approver: a}"


def reasons(tmp_path: Path, node: str = NODE, template: str = TEMPLATE) -> set[str]:
    (tmp_path / "well.yaml").write_text(template, "utf-8")
    (tmp_path / "node.yaml").write_text(node, "utf-8")
    with pytest.raises(Refused) as refused:
        node_of(tmp_path / "node.yaml")
    return {one.key for one in refused.value.problems}


def test_the_example_is_sound() -> None:
    plant = node_of(EXAMPLES / "node.yaml").plant
    assert set(plant.points) == {"well-1/phase", "well-1/mould_flow", "well-1/drain_open"}
    assert "well-1/interlock.water" in plant.conditions


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("in: [3]}}", "in: []}}", "empty_set"),
        ("in: [3]}}", "in: [7]}}", "no_such_state"),
        ("range: [0, 400]", "range: [400, 0]", "range_reversed"),
        ("range: [0, 400]", "range: [.nan, 1]", "range_reversed"),
        ("stale_s: 10, range", "stale_s: 0, range", "not_positive"),
        ("mould_flow.silent:", "mould_flow.LL:", "malformed"),
    ],
)
def test_a_template_that_looks_like_protection_and_is_none_is_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in TEMPLATE
    assert reason in reasons(tmp_path, template=TEMPLATE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("change this long random text", "short", "secret_too_short"),
        ("hmac_sm3: change this long random text", "id2: x", "malformed"),
        ("offline_s: 30", "offline_s: -3", "not_positive"),
        ("gateway: gw-1", "gateway: gw-2", "unknown_source"),
        (
            "gateway: gw-1}",
            f"gateway: gw-1, overrides: [{NO_CONDITION}]}}",
            "unknown_condition",
        ),
        (
            "gateway: gw-1}",
            f"gateway: gw-1, overrides: [{POINT_AS_FIGURE}]}}",
            "no_such_figure",
        ),
    ],
)
def test_a_node_file_that_is_wrong_says_why(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in NODE
    assert reason in reasons(tmp_path, node=NODE.replace(old, new))


def test_a_directory_belongs_to_one_enterprise(tmp_path: Path) -> None:
    """Numbers are kept for the directory: another name would be told `known` for what it lacks."""
    node = node_of(EXAMPLES / "node.yaml")
    claim(tmp_path / "data", node)
    claim(tmp_path / "data", node)
    (tmp_path / "data" / "enterprise").write_text("someone-else", "utf-8")
    with pytest.raises(Refused):
        claim(tmp_path / "data", node)
