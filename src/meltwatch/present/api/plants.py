"""The plants in scope: what each is made of, what is so now, and a point over time."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from litestar import MediaType, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from meltwatch.errors import Problem
from meltwatch.history.errors import HistoryError
from meltwatch.ledger.errors import LedgerError
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.model.plant import Plant as Configured
from meltwatch.present.api.openapi import answers
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.api.rights import in_scope
from meltwatch.present.api.shapes import Picture, Plant, Summary, Trend
from meltwatch.present.api.web import GivenWeb, SignedIn, Web
from meltwatch.present.live.views import plant_of

DAY_MS = 86_400_000
MOST_DAYS = 31
MOST_WIDTH = 2_000
MOST_DRAWINGS_WAITING = 16
RETRY_S = 2


@get("/api/plants", responses=answers(list[Summary]))
async def plants(request: SignedIn, web: GivenWeb) -> Response[bytes]:
    """List the plants in scope, each in short."""
    return _json(web.relay.summaries_json(in_scope(request.user, web.sites)))


@get("/api/plants/{enterprise:str}")
async def plant(enterprise: FromPath[str], web: GivenWeb) -> Plant:
    """Tell what a plant is made of, as configured in force."""
    name = EnterpriseId(enterprise)
    return plant_of(web.sites[name], configured(web, name))


@get("/api/plants/{enterprise:str}/picture", responses=answers(Picture))
async def picture(enterprise: FromPath[str], web: GivenWeb) -> Response[bytes]:
    """Tell what is so now."""
    told = web.relay.picture_json(EnterpriseId(enterprise))
    if told is None:
        raise _not_told()
    return _json(told)


@get("/api/plants/{enterprise:str}/trend")
async def trend(
    enterprise: FromPath[str],
    web: GivenWeb,
    point: FromQuery[str],
    at_from: Annotated[int, QueryParameter(name="from", description="ms UTC")],
    at_to: Annotated[int, QueryParameter(name="to", description="ms UTC")],
    width: FromQuery[int] = 500,
) -> Trend:
    """Tell a point over a window, thinned to `width` steps without losing an extreme."""
    name, code = EnterpriseId(enterprise), PointCode(point)
    problems = []
    if code not in configured(web, name).points:
        problems.append(Problem("query/point", "plant.unknown_point", {"point": point[:100]}))
    if not 0 <= at_from < at_to <= at_from + MOST_DAYS * DAY_MS:
        problems.append(Problem("query/from", "trend.window", {"days": MOST_DAYS}))
    if not 1 <= width <= MOST_WIDTH:
        problems.append(Problem("query/width", "trend.width", {"most": MOST_WIDTH}))
    if problems:
        raise ApiRefused(400, *problems)
    bounded(web)
    try:
        columns = await anyio.to_thread.run_sync(
            web.trends.trend, name, code, at_from, at_to, width, limiter=web.drawing
        )
    except (HistoryError, LedgerError) as error:  # never drawn as "no data"
        raise unreadable(error) from error
    return Trend(
        point=point,
        at_from=at_from,
        at_to=at_to,
        at=tuple(columns.at),
        least=tuple(columns.least),
        most=tuple(columns.most),
        last=tuple(columns.last),
        blind=tuple(columns.blind),
    )


def bounded(web: Web) -> None:
    """Raise ApiRefused when too many wait to read history."""
    if web.drawing.statistics().tasks_waiting >= MOST_DRAWINGS_WAITING:
        problem = Problem("", "trend.busy", {"retry_after_s": RETRY_S})
        raise ApiRefused(503, problem, headers={"retry-after": str(RETRY_S)})


def unreadable(error: Exception) -> ApiRefused:
    """Return the refusal for a history that cannot be read."""
    problem = Problem("", "trend.unreadable", {"reason": str(error)})
    return ApiRefused(503, problem, headers={"retry-after": str(RETRY_S)})


def configured(web: Web, enterprise: EnterpriseId) -> Configured:
    """Return the plant in force; raises ApiRefused before the core has told of it."""
    told = web.relay.picture(enterprise)
    if told is None or told.plant is None:
        raise _not_told()
    return told.plant


def _not_told() -> ApiRefused:
    problem = Problem("", "plant.not_told")
    return ApiRefused(503, problem, headers={"retry-after": str(RETRY_S)})


def _json(told: bytes) -> Response[bytes]:
    return Response(told, media_type=MediaType.JSON)
