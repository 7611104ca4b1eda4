"""The demonstration: its files are sound, its keys new each time, a taken port is said."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from meltwatch.apps.cli import main
from meltwatch.apps.demo.demo import children, port_for
from meltwatch.apps.demo.stage import HOST, PLANTS, Stage, free_port, open_accounts, set_up
from meltwatch.apps.gateway_file import given_of
from meltwatch.apps.node import node_of
from meltwatch.model.ids import EnterpriseId
from meltwatch.register.register import Register


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        yield int(holder.getsockname()[1])


def test_its_files_are_those_of_a_node_and_two_gateways(tmp_path: Path) -> None:
    stage = set_up(tmp_path, free_port(), 60)
    node = node_of(stage.node)
    assert [str(one) for one in node.plants] == [plant.enterprise for plant in PLANTS]
    assert all(site.simulation for site in node.sites.values()), "and every screen says so"
    for plant in PLANTS:
        given = given_of(stage.gateway(plant.enterprise))
        assert given.settings.gateway == plant.gateway
        points = node.plants[EnterpriseId(plant.enterprise)].points
        assert given.opcua.mapping.keys() == points.keys()
    assert stage.node.stat().st_mode & 0o077 == 0, "it holds keys"


def test_every_point_and_condition_has_words_in_both_languages(tmp_path: Path) -> None:
    node = node_of(set_up(tmp_path, free_port(), 60).node)
    for enterprise, plant in node.plants.items():
        names = node.sites[enterprise].names
        wanted = {code.rpartition("/")[2] for code in (*plant.points, *plant.conditions)}
        wanted |= {
            word for point in plant.points.values() for word in (point.states or {}).values()
        }
        assert wanted <= names.keys()
        assert all(text.zh != text.en for text in names.values())


def test_keys_and_passwords_are_new_each_time(tmp_path: Path) -> None:
    first, second = (set_up(tmp_path / name, free_port(), 60) for name in ("a", "b"))
    assert not set(first.secrets.values()) & set(second.secrets.values())
    assert first.sign_ins != second.sign_ins


def test_its_sign_ins_open_what_they_should(tmp_path: Path) -> None:
    stage = set_up(tmp_path, free_port(), 60)
    open_accounts(stage, 0)
    register = Register.open(stage.data / "register.db")
    found = {
        who: register.sign_in(one.login, one.password, "here", 0)[1]
        for who, one in stage.sign_ins.items()
    }
    register.close()
    assert {who: (one.role, one.enterprise or one.region) for who, one in found.items()} == {
        "demo-aluminium": ("safety", "demo-aluminium"),
        "demo-steel": ("safety", "demo-steel"),
        "county": ("county", "370881"),
    }


def test_what_it_was_set_up_with_can_be_read_by_programs(tmp_path: Path) -> None:
    stage = set_up(tmp_path, free_port(), 60)
    assert Stage.kept(tmp_path) is None
    stage.keep()
    assert Stage.kept(tmp_path) == stage
    names = [child.name for child in children(stage)]
    assert names[:3] == ["core", "sealer", "web"], "the server first, and ended last"


def test_a_directory_that_holds_something_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """It may be a demonstration that runs: new keys would blind its gateways."""
    stage = set_up(tmp_path, free_port(), 60)
    before = stage.node.read_bytes()
    assert main(["demo", "--directory", str(tmp_path), "--port", "0"]) == 2
    assert main(["demo", "--directory", str(stage.node), "--port", "0"]) == 2
    assert stage.node.read_bytes() == before


def test_a_free_port_is_taken_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert port_for(port, ask=True) == port
    assert capsys.readouterr().out == ""


def test_without_a_terminal_the_next_free_port_is_taken_and_said(
    taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = port_for(taken, ask=False)
    assert found > taken
    said = capsys.readouterr().out
    assert f"端口 {taken} 已被占用 / port {taken} is taken" in said
    assert str(found) in said


@pytest.mark.parametrize("answer", ["", "nonsense", "99999999"])
def test_on_a_terminal_it_is_asked_and_nothing_means_the_next_free_one(
    taken: int, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert port_for(taken, ask=True) > taken


def test_on_a_terminal_another_port_can_be_named(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = free_port()
    monkeypatch.setattr("builtins.input", lambda _: str(wanted))
    assert port_for(taken, ask=True) == wanted
