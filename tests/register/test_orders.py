"""Orders on their way to the core: in their turn, once, and never without their audit row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from meltwatch.audit.chain import Head, wrong_with
from meltwatch.errors import Problem
from meltwatch.model.ids import EnterpriseId
from meltwatch.register import audit
from meltwatch.register.audit import CHAIN, read_audit
from meltwatch.register.errors import OutboxOutOfStep, SignInRefused
from meltwatch.register.order import Obeyed
from meltwatch.register.register import Register, _hash
from meltwatch.register.tables import metadata, sessions
from tests.register.people import COUNTY, LI, NOW, OPERATOR, PASSWORD, PLANT, acknowledge


def test_orders_have_dense_numbers_and_wait_in_their_turn(register: Register) -> None:
    orders = [register.order(PLANT, acknowledge(n), NOW + n) for n in range(3)]
    assert [one.seq for one in orders] == [1, 2, 3]
    assert register.waiting(10) == orders
    assert register.waiting(2) == orders[:2]


def test_the_same_command_is_stored_once(register: Register) -> None:
    first = register.order(PLANT, acknowledge(1), NOW)
    assert register.order(PLANT, acknowledge(1), NOW + 5) == first
    assert register.waiting(10) == [first]


def test_orders_of_many_people_at_once_are_still_dense(register: Register) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = pool.map(lambda n: register.order(PLANT, acknowledge(n), NOW).seq, range(40))
    assert sorted(told) == list(range(1, 41))


def test_an_answered_order_waits_no_more_also_after_a_restart(path: Path) -> None:
    with closing(Register.open(path)) as register:
        first = register.order(PLANT, acknowledge(1), NOW)
        second = register.order(EnterpriseId("plant-2"), acknowledge(2), NOW)
        refused = Obeyed(seq=1, problems=(Problem("case", "unknown"),), head=Head("core", 7, b"h"))
        register.answered(first.seq, refused, NOW + 1)
        register.answered(first.seq, Obeyed(seq=1, head=Head("core", 9, b"x")), NOW + 2)
    with closing(Register.open(path)) as register:
        assert register.waiting(10) == [second]
        assert register.answer_of(1) == refused, "the first answer counts"
        assert register.answer_of(2) is None
        assert register.order(PLANT, acknowledge(3), NOW).seq == 3


def test_every_change_has_its_row_and_the_chain_is_sound(register: Register, path: Path) -> None:
    register.add_account(LI, PASSWORD, OPERATOR, NOW)
    token, _ = register.sign_in("li", PASSWORD, "10.0.0.9", NOW + 1)
    order = register.order(PLANT, acknowledge(1), NOW + 2)
    register.sign_out(token, NOW + 3)
    rows = list(read_audit(path))
    assert [(one.deed.action, one.deed.who, one.deed.subject) for one in rows] == [
        ("account.add", "root", "li"),
        ("sign_in", "li", "li"),
        ("order.acknowledge", "li", "command-1"),
        ("sign_out", "li", "li"),
    ]
    assert wrong_with(rows, Head(CHAIN)) == []
    assert order.other == Head(CHAIN, 3, rows[2].hash), "the order carries the head with its row"


def test_a_refused_sign_in_is_on_record_too(register: Register, path: Path) -> None:
    with pytest.raises(SignInRefused):
        register.sign_in("nobody", "some password", "10.0.0.9", NOW)
    (row,) = read_audit(path)
    assert (row.deed.action, row.deed.outcome) == ("sign_in", "sign_in.refused")
    assert (row.deed.who, row.deed.origin, row.deed.node) == ("nobody", "10.0.0.9", "node-1")


def test_rows_carry_the_newest_head_of_the_core_s_chain(register: Register, path: Path) -> None:
    newest = Head("core", 5, b"5" * 32)
    for n, head in enumerate([Head("core", 4, b"4" * 32), newest, Head("core", 2, b"2" * 32)]):
        order = register.order(PLANT, acknowledge(n), NOW)
        register.answered(order.seq, Obeyed(seq=order.seq, head=head), NOW)
    register.order(PLANT, acknowledge(9), NOW)
    assert [row.deed.other for row in read_audit(path)][-1] == newest


def test_an_answer_that_tells_of_no_row_of_the_core_s_is_no_anchor(
    register: Register, path: Path
) -> None:
    order = register.order(PLANT, acknowledge(1), NOW)
    register.answered(order.seq, Obeyed(seq=order.seq, head=Head("core")), NOW)
    register.order(PLANT, acknowledge(2), NOW)
    assert [row.deed.other for row in read_audit(path)] == [None, None]


def test_a_core_that_waits_for_another_order_than_the_next_is_said(register: Register) -> None:
    register.see_turn(1)
    for n in range(3):
        register.order(PLANT, acknowledge(n), NOW)
    register.answered(1, Obeyed(seq=1, head=Head("core", 1, b"1")), NOW)
    register.see_turn(2)
    for put_back in (1, 3, 9):
        with pytest.raises(OutboxOutOfStep) as refused:
            register.see_turn(put_back)
        told = refused.value
        assert (told.expected, told.waiting, told.last) == (put_back, 2, 3)
    assert [one.seq for one in register.waiting(10)] == [2, 3], "nothing was renumbered"


# Every change that a person makes: those that it needs before it, and itself.
CHANGES: dict[str, Callable[[Register], object]] = {
    "account.add": lambda one: one.add_account(COUNTY, PASSWORD, OPERATOR, NOW),
    "account.password": lambda one: one.set_password("li", "another long one", OPERATOR, NOW),
    "account.disable": lambda one: one.disable_account("li", OPERATOR, NOW),
    "sign_in": lambda one: one.sign_in("li", PASSWORD, "10.0.0.9", NOW),
    "sign_out": lambda one: one.sign_out(TOKEN, NOW),
    "order.acknowledge": lambda one: one.order(PLANT, acknowledge(1), NOW),
}
TOKEN = "a token that somebody has"  # noqa: S105  # of nobody


@pytest.fixture
def peopled(register: Register) -> Register:
    register.add_account(LI, PASSWORD, OPERATOR, NOW)
    with register._engine.begin() as connection:
        began = {"created_at": NOW, "seen_at": NOW, "origin": "10.0.0.9"}
        connection.execute(insert(sessions).values(token_hash=_hash(TOKEN), login="li", **began))
    return register


def stored(register: Register) -> dict[str, list[object]]:
    """Return all that stands in the file; a try counts whatever comes of it."""
    with register._engine.connect() as connection:
        return {
            table.name: list(connection.execute(select(table)))
            for table in metadata.sorted_tables
            if table.name != "tries"
        }


@pytest.mark.parametrize("action", CHANGES)
def test_a_change_has_exactly_its_row(peopled: Register, path: Path, action: str) -> None:
    before, rows = stored(peopled), len(list(read_audit(path)))
    CHANGES[action](peopled)
    assert [row.deed.action for row in read_audit(path)][rows:] == [action]
    after = stored(peopled)
    assert any(after[name] != before[name] for name in after if name != "audit")


@pytest.mark.parametrize("action", CHANGES)
def test_a_change_whose_row_cannot_be_written_is_not_made(
    peopled: Register, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    def fail(*_: object) -> Head:
        raise OSError("the row")

    before = stored(peopled)
    monkeypatch.setattr(audit, "write", fail)
    with pytest.raises(OSError, match="the row"):
        CHANGES[action](peopled)
    assert stored(peopled) == before


def test_every_change_of_a_person_s_is_in_the_list_above() -> None:
    readers = {"open", "close", "accounts", "session", "waiting", "answer_of", "see_turn"}
    notes = {"answered"}  # the core's answer has its row in the core's chain
    public = {name for name in vars(Register) if not name.startswith("_")}
    told = {"add_account", "set_password", "disable_account", "sign_in", "sign_out", "order"}
    assert public == readers | notes | told
    assert len(told) == len(CHANGES)


def test_a_changed_byte_of_a_stored_row_is_found(path: Path) -> None:
    with closing(Register.open(path)) as register:
        register.add_account(LI, PASSWORD, OPERATOR, NOW)
        register.order(PLANT, acknowledge(1), NOW)
    with closing(sqlite3.connect(path)) as connection, connection:
        (data,) = connection.execute("SELECT data FROM audit WHERE number = 1").fetchone()
        at = data.index(b"root")
        changed = data[:at] + b"toor" + data[at + 4 :]
        connection.execute("UPDATE audit SET data = ? WHERE number = 1", (changed,))
    assert {one.place for one in wrong_with(read_audit(path), Head(CHAIN))} == {"web/1"}
