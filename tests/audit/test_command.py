"""`meltwatch audit verify` tells each chain, its head for the paper, and every finding."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.apps import cli
from meltwatch.apps.account import REGISTER
from meltwatch.apps.audit import head_of, line_of, run_verify, verify
from meltwatch.apps.seal import LEDGER
from meltwatch.audit.chain import Head
from meltwatch.errors import Refused
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.register.order import Obeyed
from meltwatch.register.register import Register
from tests.audit.telling import deed, keys
from tests.register.people import NOW, PLANT, acknowledge

HEX = "ab" * 32


def with_deeds(data: Path, *people: str) -> Head:
    """Make a node's ledger in which these people did something; return the head."""
    with closing(EmbeddedHome(data / LEDGER, sync="off")) as home:
        owner = home.partition("plant-1")
        owner.acquire()
        for pos, who in enumerate(people, start=1):
            owner.commit(pos, [], [deed(who)])
        return home.audit_head()


def behind_its_back(data: Path, sql: str) -> None:
    with closing(sqlite3.connect(data / LEDGER / "state.sqlite", isolation_level=None)) as other:
        other.execute(sql)


def test_a_sound_chain_is_told_with_its_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = with_deeds(tmp_path, "li", "wang")
    assert run_verify(tmp_path) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"core/2/{head.hash.hex()}  2 行 rows"
    assert last == "完好 sound"


def test_the_command_takes_heads_from_paper(tmp_path: Path) -> None:
    paper = line_of(with_deeds(tmp_path, "li"))
    command = ["audit", "verify", "--data", str(tmp_path)]
    assert cli.main([*command, "--head", paper]) == 0
    assert cli.main([*command, "--head", f"core/1/{HEX}"]) == 1
    assert cli.main([*command, "--head", "nonsense"]) == 2


def test_more_rows_than_are_read_at_once(tmp_path: Path) -> None:
    head = with_deeds(tmp_path, *["li"] * 600)
    assert verify(tmp_path).chains[0].head == head
    assert verify(tmp_path).problems == ()


def test_a_finding_is_told_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_deeds(tmp_path, "li", "wang", "zhao")
    behind_its_back(tmp_path, "DELETE FROM audit WHERE number = 2")
    assert run_verify(tmp_path) == 1
    told = capsys.readouterr().out
    assert "core/3: 此处应为第 2 行" in told
    assert "Row 2 should stand here" in told
    assert "1 处问题 problems" in told


def test_a_cut_end_is_found_by_the_head_on_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = line_of(with_deeds(tmp_path, "li", "wang"))
    assert run_verify(tmp_path, [paper]) == 0
    behind_its_back(tmp_path, "DELETE FROM audit WHERE number = 2")
    assert run_verify(tmp_path) == 0
    assert run_verify(tmp_path, [paper]) == 1
    assert "lacks this known head" in capsys.readouterr().out


def test_the_chain_of_the_register_is_read_too_and_must_fit(tmp_path: Path) -> None:
    """What web knows of the core's chain is in its own: a cut there is found by the other one."""
    core = with_deeds(tmp_path, "li", "wang")
    assert [one.head for one in verify(tmp_path).chains] == [core]
    with closing(Register.open(tmp_path / REGISTER)) as register:
        order = register.order(PLANT, acknowledge(1), NOW)
        register.answered(order.seq, Obeyed(seq=order.seq, head=core), NOW)
        register.order(PLANT, acknowledge(2), NOW)
    verdict = verify(tmp_path)
    assert [(one.head.chain, one.rows) for one in verdict.chains] == [("web", 2), ("core", 2)]
    assert verdict.problems == ()
    behind_its_back(tmp_path, "DELETE FROM audit WHERE number = 2")
    assert keys(verify(tmp_path).problems) == [("core/2", "audit.chain_cut")]


def test_a_register_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    with_deeds(tmp_path, "li")
    (tmp_path / REGISTER).write_bytes(b"not a database" * 100)
    assert [one.key for one in verify(tmp_path).problems] == ["audit.unreadable"]


def test_a_file_that_cannot_be_read_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_deeds(tmp_path, "li")
    (tmp_path / LEDGER / "state.sqlite").write_bytes(b"not a database" * 100)
    assert run_verify(tmp_path) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_without_a_ledger_the_person_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        run_verify(tmp_path)
    assert refused.value.problems[0].key == "audit.no_ledger"
    assert list(tmp_path.iterdir()) == []


def test_a_head_is_read_as_it_is_printed() -> None:
    head = Head("web", 7, bytes.fromhex(HEX))
    assert head_of(f" {line_of(head)}\n") == head


@pytest.mark.parametrize("told", ["", "core", "core/1", f"core/x/{HEX}", "core/1/ab", f"/1/{HEX}"])
def test_what_is_no_head_is_refused(told: str) -> None:
    with pytest.raises(Refused) as refused:
        head_of(told)
    assert refused.value.problems[0].params == {"told": told}
