"""A node's file is used whole or refused whole, with place and reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meltwatch.apps.core_process import CLAIMED, claim
from meltwatch.apps.node import Node, node_of
from meltwatch.errors import Refused
from meltwatch.model.condition import Offline
from meltwatch.model.ids import ConditionId, EnterpriseId, SourceId
from meltwatch.model.site import Text

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATE = (EXAMPLES / "well.yaml").read_text("utf-8")
NODE = (EXAMPLES / "node.yaml").read_text("utf-8")
EXAMPLE = EnterpriseId("example-aluminium")
OTHER = """\
  other-steel:
    name: [另一家, Another]
    module: aluminium-dc
    region: "370898"
    region_name: [示例区, Example District]
    simulation: true
    units:
      well-1: {name: [井, Well], template: well.yaml, gateway: gw-2}
    gateways:
      gw-2: {key: {id: k2, hmac_sm3: another long random text}}
"""

NO_CONDITION = "{condition: x, field: limit, value: 1, basis: b, approver: a}"
POINT_AS_FIGURE = "{condition: mould_flow.LL, field: point, value: 1, basis: b, approver: a}"


def given(tmp_path: Path, node: str = NODE, template: str = TEMPLATE) -> Path:
    (tmp_path / "well.yaml").write_text(template, "utf-8")
    (tmp_path / "node.yaml").write_text(node, "utf-8")
    return tmp_path / "node.yaml"


def reasons(tmp_path: Path, node: str = NODE, template: str = TEMPLATE) -> set[str]:
    with pytest.raises(Refused) as refused:
        node_of(given(tmp_path, node, template))
    return {one.key for one in refused.value.problems}


def test_the_example_is_sound() -> None:
    node = node_of(EXAMPLES / "node.yaml")
    plant, site = node.plants[EXAMPLE], node.sites[EXAMPLE]
    assert node.name == "example-county"
    assert set(plant.points) == {"well-1/phase", "well-1/mould_flow", "well-1/drain_open"}
    assert "well-1/interlock.water" in plant.conditions
    assert (site.region, site.simulation) == ("370899", False)
    assert site.named("mould_flow.LL").zh == "结晶器进水流量 低低"
    assert site.named("nobody's") == Text("nobody's", "nobody's")


@pytest.mark.parametrize("page", ["formats/node.md", "play.md"])
def test_what_the_documents_show_is_sound(tmp_path: Path, page: str) -> None:
    text = (EXAMPLES.parent / "docs" / page).read_text("utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (node,) = (one for one in shown if one.startswith("node:"))
    (template,) = (one for one in shown if one.startswith("points:") and "conditions:" in one)
    (tmp_path / "loop.yaml").write_text(template, "utf-8")
    (plant,) = node_of(given(tmp_path, node, template)).plants.values()
    assert plant.conditions


def test_two_enterprises_may_name_their_units_alike(tmp_path: Path) -> None:
    node = node_of(given(tmp_path, NODE + OTHER))
    assert list(node.plants) == list(node.sites) == [EXAMPLE, "other-steel"]
    assert {key.gateway for key in node.keys.values()} == {"gw-1", "gw-2"}
    assert [set(plant.sources) for plant in node.plants.values()] == [{"gw-1"}, {"gw-2"}]
    assert node.sites[EnterpriseId("other-steel")].simulation


def test_offline_watches_the_gateway_of_its_unit(tmp_path: Path) -> None:
    """One template for ten wells cannot name ten gateways."""
    units = "units:\n      well-2: {name: [井, Well], template: well.yaml, gateway: gw-3}"
    gateways = "gateways:\n      gw-3: {key: {id: k3, hmac_sm3: a third long random text}}"
    told = NODE.replace("units:", units).replace("gateways:", gateways)
    conditions = node_of(given(tmp_path, told)).plants[EXAMPLE].conditions
    for unit, gateway in (("well-1", "gw-1"), ("well-2", "gw-3")):
        watched = conditions[ConditionId(f"{unit}/gateway.offline")]
        assert isinstance(watched, Offline)
        assert watched.source == gateway


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("in: [3]}}", "in: []}}", "empty_set"),
        ("in: [3]}}", "in: [7]}}", "no_such_state"),
        ("range: [0, 400]", "range: [400, 0]", "range_reversed"),
        ("range: [0, 400]", "range: [.nan, 1]", "range_reversed"),
        ("stale_s: 10, range", "stale_s: 0, range", "not_positive"),
        ("mould_flow.silent:", "mould_flow.LL:", "malformed"),
        ("{kind: offline,", "{kind: silent, point: phase,", "gateway_without_offline"),
        ("conditions:", "offline_s: 10\nconditions:", "not_in_a_template"),
        ("conditions:", "grace_s: 10\nconditions:", "not_in_a_template"),
        ("range: [0, 400]", "source: gw-9", "not_in_a_template"),
        ("conditions:", "module: steel\nconditions:", "template_of_another_module"),
        ("conditions:", "limits: {}\nconditions:", "malformed"),
        ("  phase: [", "  phases: [", "name_of_nothing"),
        ("  phase: [铸造阶段, Phase]", "  phase: [铸造阶段]", "malformed"),
    ],
)
def test_a_template_that_looks_like_protection_and_is_none_is_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in TEMPLATE
    assert reason in reasons(tmp_path, template=TEMPLATE.replace(old, new))


def test_a_template_may_say_what_it_is(tmp_path: Path) -> None:
    node_of(given(tmp_path, template=f"plant: dc-fixed\nmodule: aluminium-dc\n{TEMPLATE}"))


def test_a_played_file_may_end_unwatched(tmp_path: Path) -> None:
    template = TEMPLATE.replace("  gateway.offline: {kind: offline, level: 2}\n", "")
    template = template.replace("  gateway.offline: [网关离线, Gateway offline]\n", "")
    node_of(given(tmp_path, NODE.replace("offline_s: 30", "clock: recorded"), template))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("change this long random text", "short", "secret_too_short"),
        ("hmac_sm3: change this long random text", "id2: x", "malformed"),
        ("hmac_sm3: change this long random text", "ed25519: x", "malformed"),
        ("hmac_sm3: change this long random text", "hmac_sm3: x, ed25519: x", "one_kind_of_key"),
        ("offline_s: 30", "offline_s: -3", "not_positive"),
        ("gateway: gw-1", "gateway: gw-2", "unknown_source"),
        ("gateway: gw-1}", f"gateway: gw-1, overrides: [{NO_CONDITION}]}}", "unknown_condition"),
        ("gateway: gw-1}", f"gateway: gw-1, overrides: [{POINT_AS_FIGURE}]}}", "no_such_figure"),
        ("gw-1:", "the gateway:", "no_name"),
        ("well-1:", "the/well:", "no_name"),
        ("  example-aluminium:", "  示例铝业:", "no_name"),
        ("node: example-county", "node: ''", "no_name"),
        ('"370899"', '"37089"', "no_region"),
        ('"370899"', "370899", "malformed"),
        ("[示例铝业, Example Aluminium]", "示例铝业", "malformed"),
        ("template: well.yaml", "template: none.yaml", "unreadable"),
        ("node: example-county", "node: x\nport: 1", "malformed"),
    ],
)
def test_a_node_file_that_is_wrong_says_why(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in NODE
    assert reason in reasons(tmp_path, node=NODE.replace(old, new))


def test_a_node_without_an_enterprise_is_refused(tmp_path: Path) -> None:
    assert reasons(tmp_path, "node: x\nenterprises: {}") == {"no_enterprise"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("gw-2", "gw-1", "gateway_taken"), ("id: k2", "id: k1", "key_id_taken")],
)
def test_gateways_and_keys_have_one_name_over_the_node(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    """A frame names its gateway and nothing else: the name must say whose it is."""
    assert reason in reasons(tmp_path, NODE + OTHER.replace(old, new))


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    node = NODE.replace('"370899"', '"3"') + OTHER.replace("offline_s", "x").replace(
        "{key: {id: k2,", "{offline_s: 0, key: {id: k1,"
    )
    assert reasons(tmp_path, node) == {"no_region", "not_positive", "key_id_taken"}


# whose the data of a directory are


def moved(tmp_path: Path, node: Node) -> Node:
    """The same gateway, but another enterprise's."""
    text = NODE.replace("example-aluminium:", "somebody-else:")
    assert EXAMPLE in node.plants
    return node_of(given(tmp_path, text))


def test_a_gateway_belongs_to_one_enterprise(tmp_path: Path) -> None:
    """Numbers are kept for the directory: another name would be told `known` for what it lacks."""
    data = tmp_path / "data"
    data.mkdir()
    node = node_of(EXAMPLES / "node.yaml")
    claim(data, node)
    claim(data, node)
    with pytest.raises(Refused) as refused:
        claim(data, moved(tmp_path, node))
    assert [one.key for one in refused.value.problems] == ["gateway_moved"]
    claim(data, node)


def test_enterprises_come_and_go_and_their_gateways_stay_theirs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    one, both = node_of(EXAMPLES / "node.yaml"), node_of(given(tmp_path, NODE + OTHER))
    claim(data, both)
    claim(data, one)
    other = NODE.replace("gw-1", "gw-2")
    with pytest.raises(Refused):
        claim(data, node_of(given(tmp_path, other)))
    claim(data, both)


def test_a_directory_of_one_enterprise_is_taken_over(tmp_path: Path) -> None:
    node = node_of(EXAMPLES / "node.yaml")
    former = tmp_path / "enterprise"
    stored = [f"{SourceId('gw-1')}/0197bfa8b400-00000000000000aa", "core"]
    former.write_text("somebody-else", "utf-8")
    with pytest.raises(Refused):
        claim(tmp_path, node, stored)
    former.write_text(EXAMPLE, "utf-8")
    claim(tmp_path, node, stored)
    assert not former.exists()
    with pytest.raises(Refused):
        claim(tmp_path, moved(tmp_path, node))


def test_a_broken_claim_is_said(tmp_path: Path) -> None:
    (tmp_path / CLAIMED).write_text("{", "utf-8")
    with pytest.raises(Refused):
        claim(tmp_path, node_of(EXAMPLES / "node.yaml"))
