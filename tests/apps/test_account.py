"""`meltwatch account`: the operator lets people in, and out."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.apps.cli import main
from meltwatch.register.account import Account
from meltwatch.register.audit import read_audit
from meltwatch.register.register import Register

ADD = ["account", "add", "--login", "li", "--name", "李工", "--role", "safety"]


def run(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str, typed: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
    return main([*arguments, "--data", str(data)])


def test_a_person_is_added_listed_and_disabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    added = [*ADD, "--enterprise", "plant-1", "--password-stdin", "--why", "new officer"]
    assert run(monkeypatch, tmp_path, *added, typed="a long password") == 0
    assert run(monkeypatch, tmp_path, "account", "list") == 0
    assert "li                       safety       plant-1" in capsys.readouterr().out
    assert run(monkeypatch, tmp_path, "account", "disable", "--login", "li") == 0
    with closing(Register.open(tmp_path / "register.db")) as register:
        assert register.accounts() == []
    rows = list(read_audit(tmp_path / "register.db"))
    assert [(row.deed.action, row.deed.why) for row in rows] == [
        ("account.add", "new officer"),
        ("account.disable", ""),
    ]


def test_what_cannot_be_is_refused_in_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, *ADD, "--password-stdin", typed="short") == 2
    said = capsys.readouterr().err
    assert "角色 safety 属于一家企业" in said
    assert "The role safety belongs to a plant" in said
    assert "10 to 256 characters" in said


def test_a_password_told_twice_must_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["a long password", "a lang password"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert run(monkeypatch, tmp_path, *ADD, "--enterprise", "plant-1") == 2
    assert "The two passwords differ" in capsys.readouterr().err


def test_a_new_password_opens_and_the_old_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = [*ADD, "--enterprise", "plant-1", "--password-stdin"]
    assert run(monkeypatch, tmp_path, *added, typed="a long password") == 0
    change = ["account", "password", "--login", "li", "--password-stdin"]
    assert run(monkeypatch, tmp_path, *change, typed="another long one") == 0
    with closing(Register.open(tmp_path / "register.db")) as register:
        _, account = register.sign_in("li", "another long one", "here", 0)
    assert account == Account(login="li", name="李工", role="safety", enterprise="plant-1")


@pytest.mark.parametrize("command", ["list", "disable --login li"])
def test_a_mistyped_directory_is_said_and_nothing_is_made_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    assert run(monkeypatch, tmp_path / "typo", "account", *command.split()) == 2
    assert "There is no such register" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_a_register_that_cannot_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "register.db").write_bytes(b"not a database" * 100)
    assert run(monkeypatch, tmp_path, "account", "list") == 2
    assert "The register cannot be used" in capsys.readouterr().err
