"""The rights walk: every route, every role, in scope and out of it, signed in and not.

What the table says is compared with what a request gets: nothing here is taken from the guard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from litestar import get

from meltwatch.errors import Bug
from meltwatch.present.api.app import make_app
from meltwatch.present.api.rights import TABLE, Reach, Right, check_rights, routes_of
from tests.present.api.browser import Browser
from tests.present.api.plants import CAST, HORN, ONE
from tests.present.api.staff import ELSEWHERE, HERE
from tests.present.api.stage import Stage, on_stage

pytestmark = pytest.mark.anyio

PLACES = {"enterprise": CAST, "occurrence": HORN, "case": ONE, "path": "plant/some"}
WINDOW = "?point=well-1/mould_flow&from=1749999990000&to=1750000000000"
QUERY = {
    "trend": f"{WINDOW}&width=10",
    "snapshot": "?at=1750000000000",
    "gaps": WINDOW,
    "export": WINDOW,
    "numbers": "?source=gw-1/e&first=1&last=9",
}
BODIES: dict[str, dict[str, str]] = {
    "verify": {"found": "valve shut"},
    "handle": {"measure": "opened"},
    "close": {"cause": "air supply"},
    "acknowledge": {"why": ""},
}
REFUSED = {401, 403, 404}


def address(path: str) -> str:
    filled = path.format(**PLACES)
    return filled + QUERY.get(path.rpartition("/")[2], "")


async def status(browser: Browser, method: str, path: str) -> int:
    body: Any = BODIES.get(path.rpartition("/")[2])
    if path == "/api/session" and method == "POST":
        body = {"login": "nobody", "password": "a wrong password"}
    return (await browser.peek(method, address(path), body)).status


async def test_the_table_is_the_app_s_routes_and_nothing_else(tmp_path: Path) -> None:
    async with on_stage(tmp_path / "register.db") as stage:
        assert routes_of(stage.app) == TABLE.keys()


async def test_a_route_without_an_entry_makes_no_app(tmp_path: Path) -> None:
    @get("/api/forgotten")
    async def forgotten() -> str:
        return ""

    async with on_stage(tmp_path / "register.db") as stage:
        with pytest.raises(Bug, match="/api/forgotten"):
            make_app(stage.web, None, more=[forgotten])
        check_rights(stage.app)


@pytest.fixture
def walked() -> list[tuple[str, str, Right]]:
    """Return every route but the two that end what the walk stands on."""
    return [
        (method, path, right)
        for (method, path), right in TABLE.items()
        if (method, path) != ("DELETE", "/api/session")
    ]


async def test_nobody_signed_in_gets_what_is_public_and_nothing_else(
    tmp_path: Path, walked: list[tuple[str, str, Right]]
) -> None:
    async with on_stage(tmp_path / "register.db") as stage:
        for method, path, right in walked:
            found = await status(stage.browser(), method, path)
            if path == "/api/session" and method == "POST":
                assert found == 401, "the password is wrong, the route is open"
            elif right.reach is Reach.PUBLIC:
                assert found in {200, 404}, f"{method} {path}"
            else:
                assert found == 401, f"{method} {path}"


async def test_each_role_in_scope_gets_what_the_table_gives_it(
    tmp_path: Path, walked: list[tuple[str, str, Right]]
) -> None:
    async with on_stage(tmp_path / "register.db") as stage:
        for account in HERE:
            browser = await stage.signed_in(account.login)
            for method, path, right in walked:
                if right.reach is Reach.PUBLIC:
                    continue
                found = await status(browser, method, path)
                allowed = account.role in right.roles
                assert (found == 403) is not allowed, f"{account.role} {method} {path}: {found}"
                assert allowed is (found not in REFUSED), f"{account.role} {method} {path}: {found}"


async def test_whoever_has_another_scope_is_told_that_there_is_no_such_plant(
    tmp_path: Path, walked: list[tuple[str, str, Right]]
) -> None:
    """Even a role that may not use the route learns nothing: out of scope comes first."""
    async with on_stage(tmp_path / "register.db") as stage:
        for account in ELSEWHERE:
            browser = await stage.signed_in(account.login)
            for method, path, right in walked:
                if right.reach is Reach.IN_SCOPE:
                    assert await status(browser, method, path) == 404, f"{account} {method} {path}"


async def test_lists_hold_what_is_in_scope_and_nothing_else(tmp_path: Path) -> None:
    async with on_stage(tmp_path / "register.db") as stage:
        for accounts, held in ((HERE, True), (ELSEWHERE, False)):
            for account in accounts:
                browser = await stage.signed_in(account.login)
                listed = {
                    one["enterprise"] for one in (await browser.ask("GET", "/api/plants")).json
                }
                assert (CAST in listed) is held, account
                async with browser.stream("/api/live") as stream:
                    told = {(await stream.event())[1].get("enterprise") for _ in listed}
                assert told == listed, account


async def test_a_session_that_has_ended_opens_nothing(
    tmp_path: Path, walked: list[tuple[str, str, Right]]
) -> None:
    async with on_stage(tmp_path / "register.db") as stage:
        browser = await stage.signed_in("safety")
        kept = dict(browser.cookies)
        assert (await browser.ask("DELETE", "/api/session")).status == 204
        browser.cookies = kept
        for method, path, right in walked:
            if right.reach is not Reach.PUBLIC:
                assert await status(browser, method, path) == 401, f"{method} {path}"


async def test_a_change_that_another_site_could_send_is_refused(tmp_path: Path) -> None:
    """Without our header, or with a form's content type, nothing is even looked at."""
    async with on_stage(tmp_path / "register.db") as stage:
        browser = await stage.signed_in("safety")
        for method, path in TABLE:
            if method == "GET":
                continue
            body = BODIES.get(path.rpartition("/")[2])
            plain = await browser.ask(method, address(path), body, {"meltwatch-request": ""})
            assert plain.status == 403, f"{method} {path}"
            form = {"content-type": "text/plain"}
            assert (await browser.ask(method, address(path), b"x", form)).status == 415
        assert_nothing_was_ordered(stage)
        assert (await browser.ask("GET", "/api/session")).status == 200


def assert_nothing_was_ordered(stage: Stage) -> None:
    assert stage.line.orders == []
