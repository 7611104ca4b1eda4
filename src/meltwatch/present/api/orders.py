"""What people order: 确认 核实 处置 消警. The final word is the core's; here only what is known."""

from __future__ import annotations

import secrets
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from meltwatch.errors import Problem
from meltwatch.model import log
from meltwatch.model.ids import CaseId, CommandId, EnterpriseId, OccurrenceId
from meltwatch.model.log import AnyCommand
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.api.session import origin_of
from meltwatch.present.api.shapes import Acknowledge, Close, Handle, Ordered, Verify
from meltwatch.present.api.web import GivenWeb, SignedIn, Web
from meltwatch.present.live.picture import Picture
from meltwatch.present.words_reason import Teller

ID_BYTES = 16


@post("/api/plants/{enterprise:str}/occurrences/{occurrence:str}/acknowledge", status_code=200)
async def acknowledge(
    enterprise: FromPath[str],
    occurrence: FromPath[str],
    request: SignedIn,
    web: GivenWeb,
    data: JSONBody[Acknowledge | None] = None,
) -> Response[Ordered]:
    """确认: silence the horn of an occurrence, nothing else."""
    which, why = OccurrenceId(occurrence), "" if data is None else data.why
    if which not in _picture(web, enterprise).occurrences:
        raise ApiRefused(404, Problem("occurrence", "unknown_occurrence", {"id": which[:100]}))
    command = log.Acknowledge(occurrence=which, **_who(request, web, why))
    return await _ordered(web, enterprise, command)


@post("/api/plants/{enterprise:str}/cases/{case:str}/verify", status_code=200)
async def verify(
    enterprise: FromPath[str],
    case: FromPath[str],
    request: SignedIn,
    web: GivenWeb,
    data: JSONBody[Verify],
) -> Response[Ordered]:
    """核实: say what was found on the spot."""
    told = {"case": _case(web, enterprise, case), **_who(request, web, data.found)}
    return await _ordered(web, enterprise, log.Verify(found=data.found, **told))


@post("/api/plants/{enterprise:str}/cases/{case:str}/handle", status_code=200)
async def handle(
    enterprise: FromPath[str],
    case: FromPath[str],
    request: SignedIn,
    web: GivenWeb,
    data: JSONBody[Handle],
) -> Response[Ordered]:
    """处置: say what was done about it."""
    told = {"case": _case(web, enterprise, case), **_who(request, web, data.measure)}
    return await _ordered(web, enterprise, log.Handle(measure=data.measure, **told))


@post("/api/plants/{enterprise:str}/cases/{case:str}/close", status_code=200)
async def close(
    enterprise: FromPath[str],
    case: FromPath[str],
    request: SignedIn,
    web: GivenWeb,
    data: JSONBody[Close],
) -> Response[Ordered]:
    """消警: close the case with its cause."""
    told = {"case": _case(web, enterprise, case), **_who(request, web, data.cause)}
    return await _ordered(web, enterprise, log.Close(cause=data.cause, **told))


def _picture(web: Web, enterprise: str) -> Picture:
    name = EnterpriseId(enterprise)
    return web.relay.picture(name) or Picture(enterprise=name)


def _case(web: Web, enterprise: str, case: str) -> CaseId:
    which = CaseId(case)
    if which not in _picture(web, enterprise).cases:
        raise ApiRefused(404, Problem("case", "unknown_case", {"id": which[:100]}))
    return which


def _who(request: SignedIn, web: Web, why: str) -> dict[str, Any]:
    """Return what every command carries."""
    return {
        "id": CommandId(secrets.token_hex(ID_BYTES)),
        "who": request.user.login,
        "role": request.user.role,
        "node": web.settings.node,
        "origin": origin_of(request),
        "why": why,
    }


async def _ordered(web: Web, enterprise: str, command: AnyCommand) -> Response[Ordered]:
    """Hand an order over and tell what became of it."""
    name = EnterpriseId(enterprise)
    obeyed = await web.outbox.order(name, command)
    if obeyed is None:
        return Response(Ordered(command=command.id, state="pending"), status_code=202)
    if obeyed.problems:
        picture = _picture(web, enterprise)
        teller = Teller(web.sites[name], picture.plant, picture.now)
        raise ApiRefused(409, *obeyed.problems, words=teller.problem)
    return Response(Ordered(command=command.id, state="done"), status_code=200)
