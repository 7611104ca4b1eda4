"""Sign in, ask who is signed in, sign out. The register decides; the cookie carries the token."""

from __future__ import annotations

import anyio.to_thread
from litestar import Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody

from meltwatch.errors import Problem
from meltwatch.present.api.refusals import AnyRequest, ApiRefused
from meltwatch.present.api.rights import in_scope
from meltwatch.present.api.shapes import COOKIE, SignIn, Standing
from meltwatch.present.api.web import GivenWeb, SignedIn, Web
from meltwatch.register.account import Account
from meltwatch.register.errors import SignInRefused, TooManyTries


@post("/api/session", status_code=200)
async def sign_in(data: JSONBody[SignIn], request: AnyRequest, web: GivenWeb) -> Response[Standing]:
    """Sign in: sets the cookie, answers who is signed in."""
    now = web.clock.wall_ms()
    try:
        token, account = await anyio.to_thread.run_sync(
            web.register.sign_in,
            data.login,
            data.password,
            origin_of(request),
            now,
            limiter=web.hashing,
        )
    except TooManyTries as refused:
        wait_s = refused.retry_after_s
        problem = Problem("", "sign_in.too_many", {"retry_after_s": wait_s})
        raise ApiRefused(429, problem, headers={"retry-after": str(wait_s)}) from refused
    except SignInRefused as refused:
        raise ApiRefused(401, Problem("", "sign_in.refused")) from refused
    return Response(_standing(web, account), status_code=200, cookies=[_cookie(web, token)])


@get("/api/session")
async def who_is_signed_in(request: SignedIn, web: GivenWeb) -> Standing:
    """Tell who is signed in."""
    return _standing(web, request.user)


@delete("/api/session", status_code=204)
async def sign_out(request: SignedIn, web: GivenWeb) -> Response[None]:
    """Sign out: the session is over, its streams end with the next beat."""
    await anyio.to_thread.run_sync(web.register.sign_out, request.auth, web.clock.wall_ms())
    gone = Cookie(
        key=COOKIE,
        value="",
        path="/",
        max_age=0,
        httponly=True,
        samesite="strict",
        secure=web.settings.https,
    )
    return Response(None, status_code=204, cookies=[gone])


def origin_of(request: AnyRequest) -> str:
    """Return from where a person speaks."""
    return "" if request.client is None else request.client.host


def _standing(web: Web, account: Account) -> Standing:
    return Standing(
        account=account,
        simulation=any(web.sites[one].simulation for one in in_scope(account, web.sites)),
        now=web.clock.wall_ms(),
        version=web.settings.version,
    )


def _cookie(web: Web, token: str) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=token,
        path="/",
        httponly=True,
        samesite="strict",
        secure=web.settings.https,
    )
