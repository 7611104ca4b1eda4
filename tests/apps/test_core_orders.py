"""Orders of web: logged once, obeyed or refused with words, audited in the same transaction.

Over a real local socket, with a real ledger behind it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from meltwatch.apps.defaults import default_risk_model
from meltwatch.audit.chain import Head, wrong_with
from meltwatch.ledger.errors import Unavailable
from meltwatch.model.ids import CaseId, CommandId, EnterpriseId, OccurrenceId
from meltwatch.model.log import Close, ConfigRecord
from meltwatch.present.live.core_line import CoreAway, Obeyed, OrderRefused, OutOfTurn
from meltwatch.present.live.line import SocketLine
from meltwatch.present.live.wire import socket_of
from tests.apps.core_node import HEAD, NOW, ONE, TWO, Node, acknowledge, obey, order


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "data")
    yield node
    node.home.close()


# what is ordered


def test_an_order_is_obeyed_audited_and_answered_alike_when_it_comes_again(node: Node) -> None:
    node.frame(ONE.enterprise, 1, 61.0)
    which = node.occurrence(ONE.enterprise)
    asked = order(1, acknowledge(which))
    first, again = obey(node, asked, asked)
    assert first == again
    assert isinstance(first, Obeyed)
    assert (first.seq, first.problems) == (1, ())
    assert first.head == node.home.audit_head()
    (row,) = node.home.audit(0, 10)
    deed = row.deed
    assert (deed.who, deed.role, deed.node, deed.origin) == (
        "li",
        "shift",
        "example-county",
        "10.0.0.7",
    )
    assert (deed.action, deed.subject, deed.why, deed.outcome) == (
        "acknowledge",
        which,
        "seen",
        "done",
    )
    assert (deed.at, deed.other) == (NOW, HEAD)
    assert len(node.answers()) == 1
    standing = node.cores[ONE.enterprise].journey.state.board.occurrences[which].standing
    assert standing.value == "acknowledged"


def test_a_refused_order_says_why_each_time_and_is_audited(node: Node) -> None:
    asked = order(1, acknowledge(OccurrenceId("nobody's")))
    first, again = obey(node, asked, asked)
    assert first == again
    assert isinstance(first, Obeyed)
    (problem,) = first.problems
    assert (problem.place, problem.key, problem.params) == (
        "occurrence",
        "unknown_occurrence",
        {"id": "nobody's"},
    )
    (answer,) = node.answers()
    assert answer.problems == (problem,)
    (row,) = node.home.audit(0, 10)
    assert (row.deed.outcome, row.deed.params["id"]) == ("unknown_occurrence", "nobody's")


def test_orders_of_all_enterprises_are_one_dense_stream(node: Node) -> None:
    """Web's outbox is one: a number names an order whichever plant it is for."""
    lost = acknowledge(OccurrenceId("x"))
    told = obey(
        node,
        order(2, lost),
        order(1, lost),
        order(2, lost, TWO.enterprise),
        order(4, lost),
        order(3, lost),
    )
    assert [type(one).__name__ for one in told] == [
        "OutOfTurn",
        "Obeyed",
        "Obeyed",
        "OutOfTurn",
        "Obeyed",
    ]
    assert told[0] == OutOfTurn(expected=1)
    assert told[3] == OutOfTurn(expected=3)
    rows = node.home.audit(0, 10)
    assert [row.number for row in rows] == [1, 2, 3]
    assert wrong_with(rows, Head("core"), node.home.audit_head()) == []


def test_another_order_under_a_taken_number_is_refused_loudly(node: Node) -> None:
    async def scene() -> OrderRefused:
        async with node.serving(), SocketLine(node.data) as line, asyncio.timeout(10):
            await line.obey(order(1, acknowledge(OccurrenceId("x"))))
            with pytest.raises(OrderRefused) as refused:
                await line.obey(order(1, acknowledge(OccurrenceId("y"))))
            return refused.value

    assert asyncio.run(scene()).problem.key == "order.conflict"
    assert len(node.answers()) == 1
    assert len(node.home.stream.conflicts(0, 10)) == 1


def test_an_order_for_an_enterprise_that_is_gone_holds_up_nobody(node: Node) -> None:
    """Its number is used and it is answered, always the same; what comes behind it is obeyed."""
    gone = order(1, acknowledge(OccurrenceId("x")), EnterpriseId("gone"))

    async def scene() -> list[Obeyed | OutOfTurn]:
        async with node.serving(), SocketLine(node.data) as line, asyncio.timeout(10):
            mine = order(2, acknowledge(node.occurrence(ONE.enterprise)))
            early = order(3, acknowledge(OccurrenceId("x")), EnterpriseId("gone"))
            return [await line.obey(one) for one in (gone, gone, early, mine)]

    node.frame(ONE.enterprise, 1, 61.0)
    first, again, early, mine = asyncio.run(scene())
    assert isinstance(first, Obeyed)
    assert [one.key for one in first.problems] == ["order.no_enterprise"]
    assert again == first
    assert early == OutOfTurn(expected=2)
    assert isinstance(mine, Obeyed)
    assert mine.problems == ()


def test_nonsense_is_refused_and_uses_no_number(node: Node) -> None:
    async def scene() -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket_of(node.data)))
        async with (
            node.serving(),
            httpx.AsyncClient(transport=transport, base_url="http://core") as other,
            asyncio.timeout(10),
        ):
            for body in (b"", b"nonsense", b"\x80", b"x" * 100_000):
                assert (await other.post("/orders", content=body)).status_code == 422
            assert (await other.get("/orders")).status_code == 404
            assert (await other.get("/")).status_code == 404

    asyncio.run(scene())
    assert node.home.stream.last_seq("web") == 0


@pytest.mark.parametrize("when", ["append", "commit"])
def test_an_order_of_unknown_outcome_is_obeyed_once_when_it_comes_again(
    node: Node, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    node.frame(ONE.enterprise, 1, 61.0)
    asked = order(1, acknowledge(node.occurrence(ONE.enterprise)))
    core = node.cores[ONE.enterprise]
    owner: Any = core.stream if when == "append" else core.partition
    real = getattr(owner, when)

    def unheard(*told: Any) -> Any:
        real(*told)
        raise Unavailable("disk", "made, and not heard of")

    async def scene() -> Obeyed | OutOfTurn:
        async with node.serving(), SocketLine(node.data) as line, asyncio.timeout(10):
            with monkeypatch.context() as failing:
                failing.setattr(owner, when, unheard)
                with pytest.raises(CoreAway):
                    await line.obey(asked)
            return await line.obey(asked)

    told = asyncio.run(scene())
    assert isinstance(told, Obeyed)
    assert told.problems == ()
    assert len(node.answers()) == 1
    (row,) = node.home.audit(0, 10)
    assert (row.deed.outcome, row.deed.other) == ("done", HEAD)


def test_a_core_killed_between_log_and_commit_audits_the_order_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was appended is obeyed by the next core, with the same deed and the same anchor."""
    node = Node(tmp_path / "data")
    node.frame(ONE.enterprise, 1, 61.0)
    asked = order(1, acknowledge(node.occurrence(ONE.enterprise)))
    core = node.cores[ONE.enterprise]

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt  # the process ends right there

    monkeypatch.setattr(core.partition, "commit", killed)
    with pytest.raises(KeyboardInterrupt):
        core.obey(asked, NOW)
    node.home.close()
    after = Node(tmp_path / "data")
    (row,) = after.home.audit(0, 10)
    assert (row.deed.who, row.deed.at, row.deed.other) == ("li", NOW, HEAD)
    (told,) = obey(after, asked)
    assert told == Obeyed(seq=1, head=after.home.audit_head())
    after.home.close()


def test_a_doubt_of_one_core_does_not_spoil_the_numbers_of_another(node: Node) -> None:
    """Own records of all cores are one stream: with the index locked one is stored unheard of."""
    one, two = node.cores[ONE.enterprise], node.cores[TWO.enterprise]
    config = ConfigRecord(received_at=1, plant=ONE, risk_model=default_risk_model())
    index = node.data / "ledger" / "index.sqlite"
    with closing(sqlite3.connect(index, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            one.take_own(config)
    two.take_own(msgspec.structs.replace(config, plant=TWO))
    one.come_in_line()
    assert node.home.stream.last_seq("core") == 4
    assert node.home.stream.conflicts(0, 10) == []


def test_closing_needs_words(node: Node) -> None:
    node.frame(ONE.enterprise, 1, 61.0)
    (case,) = node.cores[ONE.enterprise].journey.state.desk.cases
    said = {"who": "li", "role": "safety", "node": "n", "origin": "o", "why": ""}
    asked = Close(id=CommandId("c2"), case=CaseId(case), cause=" ", **said)
    (told,) = obey(node, order(1, asked))
    assert isinstance(told, Obeyed)
    assert [one.key for one in told.problems] == ["words_missing"]
    (row,) = node.home.audit(0, 10)
    assert (row.deed.action, row.deed.subject) == ("close", case)
