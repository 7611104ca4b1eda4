"""The guard that every request passes: who asks, and may they, by the rights table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
from litestar.connection import ASGIConnection
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from meltwatch.errors import Problem
from meltwatch.model.ids import EnterpriseId
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.api.rights import CHANGING, HEADER, TABLE, Reach, Right, reaches
from meltwatch.present.api.shapes import COOKIE
from meltwatch.present.api.web import Web
from meltwatch.register.account import Account

MOST_TOKEN = 256
_ROLES_ZH = {
    "shift": "值班员",
    "safety": "安全员",
    "automation": "自动化工程师",
    "county": "县级",
    "city": "市级",
    "province": "省级",
    "ministry": "部级",
    "admin": "管理员",
}

Connection = ASGIConnection[Any, Any, Any, Any]


def guard_of(web: Web) -> Guard:
    """Return the guard of an app."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        scope: dict[str, Any] = connection.scope  # type: ignore[assignment]  # of HTTP: `routes_of`
        right = TABLE.get((scope["method"], scope["path_template"]))
        if right is None:
            raise _no_method(connection)
        if scope["method"] in CHANGING:
            _check_intent(connection)
        if right.reach is Reach.PUBLIC:
            return
        token = token_of(connection)
        account = await account_of(web, token)
        if account is None:
            raise ApiRefused(401, Problem("session", "sign_in.needed"))
        scope["user"], scope["auth"] = account, token
        _check_right(web, connection, account, right)

    return guard


async def account_of(web: Web, token: str) -> Account | None:
    """Return whose session it is; None if it is nobody's, or over."""
    if not token or len(token) > MOST_TOKEN:
        return None
    return await anyio.to_thread.run_sync(web.register.session, token, web.clock.wall_ms())


def token_of(connection: Connection) -> str:
    """Return the session's token; empty without."""
    return connection.cookies.get(COOKIE, "")


def _check_intent(connection: Connection) -> None:
    """Refuse what another site's page could have sent in the person's name."""
    if connection.headers.get(HEADER) != "1":
        problem = Problem(f"header/{HEADER}", "right.header_missing", {"header": HEADER})
        raise ApiRefused(403, problem)
    told = connection.headers.get("content-type", "")
    has_body = connection.headers.get("content-length", "0") != "0"
    has_body = has_body or "transfer-encoding" in connection.headers
    if (told or has_body) and told.partition(";")[0].strip().lower() != "application/json":
        raise ApiRefused(415, Problem("header/Content-Type", "request.not_json"))


def _check_right(web: Web, connection: Connection, account: Account, right: Right) -> None:
    if right.reach is Reach.IN_SCOPE:
        site = web.sites.get(EnterpriseId(connection.path_params["enterprise"]))
        if site is None or not reaches(account, site):
            raise ApiRefused(404, Problem(connection.scope["path"], "plant.unknown"))
    if account.role not in right.roles:
        allowed = sorted(right.roles)
        problem = Problem("session", "right.missing", {"role": account.role})
        raise ApiRefused(403, _with_roles(problem, allowed))


def _with_roles(problem: Problem, allowed: Sequence[str]) -> Problem:
    told = ", ".join(f"{_ROLES_ZH.get(one, one)} {one}" for one in allowed)
    return Problem(problem.place, problem.key, {**problem.params, "allowed": told})


def _no_method(connection: Connection) -> MethodNotAllowedException:
    template = connection.scope["path_template"]
    allowed = sorted(method for method, path in TABLE if path == template)
    return MethodNotAllowedException(headers={"allow": ", ".join(allowed)})
