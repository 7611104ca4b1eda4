"""What routes answer: to people at screens and to programs, in order and out of it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from meltwatch.errors import Problem
from meltwatch.history.errors import Damaged
from meltwatch.model.log import Acknowledge, Verify
from meltwatch.present.api.rights import TABLE
from meltwatch.present.api.web import Settings
from meltwatch.present.live.core_line import OrderRefused
from meltwatch.present.live.picture import Delta, Latest
from meltwatch.register.audit import read_audit
from meltwatch.register.errors import RegisterUnavailable
from meltwatch.register.order import Obeyed, Order
from tests.present.api.line import HEAD
from tests.present.api.plants import CAST, FLOW, HORN, NOW, ONE, STEEL
from tests.present.api.staff import PASSWORD
from tests.present.api.stage import SETTINGS, on_stage

pytestmark = pytest.mark.anyio
BASE = f"/api/plants/{CAST}"
ACKNOWLEDGE = f"{BASE}/occurrences/{HORN}/acknowledge"
VERIFY = f"{BASE}/cases/{ONE}/verify"
FOUND = {"found": "valve shut"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "register.db"


# sign-in


async def test_signing_in_sets_a_cookie_that_no_script_and_no_other_site_can_use(
    path: Path,
) -> None:
    async with on_stage(path) as stage:
        answer = await stage.browser().sign_in("safety", PASSWORD)
        assert answer.json["account"]["role"] == "safety"
        assert answer.json["simulation"] is True
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie


async def test_over_https_the_cookie_goes_over_https_only(path: Path) -> None:
    settings = Settings(node="county", https=True)
    async with on_stage(path, settings=settings) as stage:
        answer = await stage.browser().sign_in("safety", PASSWORD)
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_wrong_password_says_neither_which_is_wrong_and_six_of_them_wait(
    path: Path,
) -> None:
    async with on_stage(path) as stage:
        said = set()
        for login in ("safety", "nobody"):
            answer = await stage.browser().sign_in(login, "a wrong password")
            assert answer.status == 401
            said.add(str(answer.problem))
        assert len(said) == 1
        for _ in range(4):
            await stage.browser().sign_in("safety", "a wrong password")
        answer = await stage.browser().sign_in("safety", PASSWORD)
        assert (answer.status, answer.problem["key"]) == (429, "sign_in.too_many")
        assert 0 < int(answer.headers["retry-after"]) <= 300


# what is so


async def test_a_plant_is_told_in_both_languages_with_its_limits(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        plant = (await browser.ask("GET", BASE)).json
        assert plant["text"] == ["示例铝业", "Example Aluminium"]
        assert plant["simulation"] is True
        flow = next(one for one in plant["points"] if one["code"] == FLOW)
        assert flow["text"] == ["结晶器进水流量", "Mould water flow"]
        assert flow["limits"] == [
            {"condition": "well-1/mould_flow.LL", "side": "low", "limit": 90.0, "level": 2}
        ]


async def test_a_picture_says_why_and_what_a_person_may_do(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        picture = (await browser.ask("GET", f"{BASE}/picture")).json
        (occurrence,) = picture["occurrences"]
        assert occurrence["case"] == ONE
        assert "90" in occurrence["text"][0]
        assert "86.25" in occurrence["text"][1]
        (case,) = picture["cases"]
        assert case["next"] == ["verify"]
        assert picture["values"][FLOW] == [NOW - 1000, 120.5, 0]


async def test_a_trend_is_asked_within_bounds_and_of_the_plant_s_own_points(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        asked = f"{BASE}/trend?point={FLOW}&from={NOW - 1000}&to={NOW}&width=10"
        assert (await browser.ask("GET", asked)).json["most"] == [3.0]
        assert stage.trends.asked == [(CAST, FLOW, NOW - 1000, NOW, 10)]
        for wrong in (
            f"{BASE}/trend?point=other&from=0&to={NOW}&width=10",
            f"{BASE}/trend?point={FLOW}&from={NOW}&to=0&width=10",
            f"{BASE}/trend?point={FLOW}&from=0&to={NOW}&width=10",
            f"{BASE}/trend?point={FLOW}&from={NOW - 1000}&to={NOW}&width=0",
            f"{BASE}/trend?point={FLOW}&from={NOW - 1000}&to={NOW}&width=99999",
            f"{BASE}/trend?point={FLOW}&from=x&to={NOW}&width=10",
            f"{BASE}/trend?from=0&to={NOW}&width=10",
        ):
            answer = await browser.ask("GET", wrong)
            assert answer.status in {400, 404}, wrong
            assert answer.problem
        assert len(stage.trends.asked) == 1


async def test_history_that_cannot_be_read_is_never_drawn_as_no_data(path: Path) -> None:
    def fail(*_: object) -> Any:
        raise Damaged("segment", "is gone")

    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        stage.trends.trend = fail  # type: ignore[assignment,method-assign]
        asked = f"{BASE}/trend?point={FLOW}&from={NOW - 1000}&to={NOW}&width=10"
        answer = await browser.ask("GET", asked)
        assert (answer.status, answer.problem["key"]) == (503, "trend.unreadable")


# orders


async def test_an_order_carries_who_and_is_done_when_the_core_has_obeyed(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("safety")
        answer = await browser.ask("POST", VERIFY, FOUND)
        assert (answer.status, answer.json["state"]) == (200, "done")
        (order,) = stage.line.orders
        command = order.command
        assert isinstance(command, Verify)
        assert (command.who, command.role, command.node) == ("safety", "safety", "county")
        assert (command.origin, command.found, command.case) == ("10.0.0.9", "valve shut", ONE)
    actions = [(row.deed.action, row.deed.who) for row in read_audit(path)]
    assert actions[-1] == ("order.verify", "safety")


async def test_an_order_that_the_core_refuses_is_refused_with_its_words(path: Path) -> None:
    def refuse(order: Order) -> Obeyed:
        told: dict[str, str | int | float] = {"from": "open", "move": "close"}
        return Obeyed(
            seq=order.seq, problems=(Problem("case", "no_such_transition", told),), head=HEAD
        )

    async with on_stage(path) as stage:
        stage.line.answers = refuse
        browser = await stage.signed_in("safety")
        answer = await browser.ask("POST", f"{BASE}/cases/{ONE}/close", {"cause": "x"})
        assert (answer.status, answer.problem["key"]) == (409, "no_such_transition")


async def test_without_the_core_an_order_is_kept_and_handed_over_once_in_its_turn(
    path: Path,
) -> None:
    async with on_stage(path, answer_within_s=0.05) as stage:
        browser = await stage.signed_in("safety")
        stage.line.away = True
        for _ in range(2):
            answer = await browser.ask("POST", ACKNOWLEDGE, {"why": ""})
            assert (answer.status, answer.json["state"]) == (202, "pending")
    async with on_stage(path) as stage:
        browser = await stage.signed_in("safety")
        assert (await browser.ask("POST", VERIFY, FOUND)).status == 200
        kinds = [type(one.command) for one in stage.line.orders]
        assert kinds == [Acknowledge, Acknowledge, Verify]
        assert [one.seq for one in stage.line.orders] == [1, 2, 3]
        assert stage.register.waiting(10) == []


async def test_one_order_that_can_never_be_obeyed_holds_up_nobody(path: Path) -> None:
    """Its number is another's in the core's log: it is answered so, loudly, and the rest go on."""

    def other_under_one(order: Order) -> Obeyed:
        if order.seq == 1:
            raise OrderRefused(Problem("seq", "order.conflict", {"seq": 1}))
        return Obeyed(seq=order.seq, head=HEAD)

    async with on_stage(path) as stage:
        stage.line.answers = other_under_one
        browser = await stage.signed_in("safety")
        answer = await browser.ask("POST", VERIFY, FOUND)
        assert (answer.status, answer.problem["key"]) == (409, "order.conflict")
        assert (await browser.ask("POST", VERIFY, FOUND)).status == 200
        assert stage.register.waiting(10) == []


async def test_a_core_of_another_version_stops_orders_and_nothing_else(path: Path) -> None:
    def never(_: Order) -> Obeyed:
        raise OrderRefused(Problem("", "order.malformed", {"why": "version"}))

    async with on_stage(path, answer_within_s=0.05) as stage:
        stage.line.answers = never
        browser = await stage.signed_in("safety")
        assert (await browser.ask("POST", VERIFY, FOUND)).status == 202
        assert (await browser.ask("GET", f"{BASE}/picture")).status == 200
        assert len(stage.register.waiting(10)) == 1


async def test_what_is_not_there_cannot_be_ordered_about(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("safety")
        for gone in (f"{BASE}/cases/{'0' * 32}/verify", f"/api/plants/{STEEL}/cases/{ONE}/verify"):
            assert (await browser.ask("POST", gone, FOUND)).status == 404
        assert stage.line.orders == []


@pytest.mark.parametrize(
    ("body", "status", "key"),
    [
        (b"{broken", 400, "request.broken_json"),
        (b"", 400, "request.body_missing"),
        ({}, 400, "request.field_missing"),
        ({"found": ""}, 400, "request.too_short"),
        ({"found": "x" * 2001}, 400, "request.too_long"),
        ({"found": 5}, 400, "request.wrong_type"),
        ({"found": "x", "more": 1}, 400, "request.field_unknown"),
        ({"found": "x" * 80_000}, 413, "request.body_too_large"),
    ],
)
async def test_a_body_that_is_wrong_is_refused_with_its_place_in_both_languages(
    path: Path, body: Any, status: int, key: str
) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("safety")
        answer = await browser.ask("POST", VERIFY, body)
        assert (answer.status, answer.problem["key"]) == (status, key)
        assert stage.line.orders == []


async def test_a_register_that_fails_is_said_and_web_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise RegisterUnavailable("disk full")

    async with on_stage(path) as stage:
        browser = await stage.signed_in("safety")
        with monkeypatch.context() as failing:
            for name in ("order", "waiting"):
                failing.setattr(stage.register, name, fail)
            answer = await browser.ask("POST", VERIFY, FOUND)
            assert (answer.status, answer.problem["key"]) == (503, "register.unavailable")
        assert (await browser.ask("POST", VERIFY, FOUND)).status == 200


# streams


async def test_a_stream_begins_with_a_picture_and_goes_on_by_number(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        async with browser.stream(f"{BASE}/live") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            kind, told = await stream.event()
            assert (kind, told["number"]) == ("picture", 7)
            delta = Delta(
                enterprise=CAST, number=8, now=NOW + 1000, values={FLOW: Latest(NOW, 80.0, 0)}
            )
            stage.line.tell(delta)
            seen = [await stream.event() for _ in range(3)]
        deltas = [one for kind, one in seen if kind == "delta"]
        assert [(one["number"], one["values"]) for one in deltas] == [(8, {FLOW: [NOW, 80.0, 0]})]
        assert "beat" in {kind for kind, _ in seen}


async def test_a_stream_ends_with_its_session(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        async with browser.stream(f"{BASE}/live") as stream:
            await browser.ask("DELETE", "/api/session")
            for _ in range(100):
                try:
                    await stream.event()
                except StopAsyncIteration:
                    return
            pytest.fail("it goes on")


async def test_a_core_that_is_away_is_said_in_every_beat(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("county")
        async with browser.stream("/api/live") as stream:
            stage.line.cut()
            for _ in range(100):
                kind, told = await stream.event()
                if kind == "beat" and told["core_away_since"] is not None:
                    break
            else:
                pytest.fail("no beat said it")
        health = (await stage.browser().ask("GET", "/healthz")).json
        assert health["ok"] is True
        assert health["core_away_since"] == NOW


async def test_one_account_has_so_many_streams_and_no_more(path: Path) -> None:
    settings = Settings(node="county", beat_s=SETTINGS.beat_s, streams_an_account=1)
    async with on_stage(path, settings=settings) as stage:
        browser = await stage.signed_in("shift")
        async with browser.stream(f"{BASE}/live"):
            assert (await browser.peek("GET", f"{BASE}/live")).status == 429
        assert (await browser.peek("GET", f"{BASE}/live")).status == 200


# what every answer carries


async def test_the_document_tells_every_route_of_the_api(path: Path) -> None:
    async with on_stage(path) as stage:
        document = (await stage.browser().ask("GET", "/api/openapi.json")).json
        told = {
            (method.upper(), path)
            for path, routes in document["paths"].items()
            for method in routes
        }
        wanted = {one for one in TABLE if one[1].startswith("/api/") and "openapi" not in one[1]}
        assert wanted <= told
        assert document["components"]["schemas"].keys() >= {"Plant", "Picture", "Risk", "Trend"}


async def test_answers_forbid_what_pages_of_others_could_do_and_are_kept_by_nobody(
    path: Path,
) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("shift")
        for asked in ("/api/session", "/api/nothing", "/healthz"):
            headers = (await browser.ask("GET", asked)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "script-src" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"


async def test_an_address_that_is_none_and_a_method_that_is_not_taken_are_problems(
    path: Path,
) -> None:
    async with on_stage(path) as stage:
        browser = stage.browser()
        answer = await browser.ask("GET", "/api/nothing.json")
        assert (answer.status, answer.problem["key"]) == (404, "route.unknown")
        answer = await browser.ask("PUT", "/api/session", {})
        assert (answer.status, answer.problem["key"]) == (405, "route.method")


async def test_screens_are_given_whole_and_packed_and_pages_are_one_page(
    path: Path, tmp_path: Path
) -> None:
    screens = tmp_path / "screens"
    (screens / "assets").mkdir(parents=True)
    (screens / "index.html").write_text("<!doctype html>the page", encoding="utf-8")
    (screens / "assets" / "index-1.js").write_text("let x = 1;" * 500, encoding="utf-8")
    async with on_stage(path, screens=screens) as stage:
        browser = stage.browser()
        for page in ("/", f"/plant/{CAST}", "/region"):
            answer = await browser.ask("GET", page)
            assert answer.body == b"<!doctype html>the page"
            assert answer.headers["cache-control"] == "no-cache"
        packed = await browser.ask("GET", "/assets/index-1.js", headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body).startswith(b"let x")
        assert "immutable" in packed.headers["cache-control"]
        for outside in ("/assets/../../etc/passwd", "/assets/%2e%2e/secret", "/other.js"):
            assert (await browser.ask("GET", outside)).status == 404
