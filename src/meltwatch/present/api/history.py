"""What was: values held at an instant, the gap map, exports. The trend stands in plants.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Annotated, Literal, TypeVar

import anyio.to_thread
from litestar import get
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from meltwatch.errors import Problem
from meltwatch.history.errors import HistoryError
from meltwatch.history.held import Held as Found
from meltwatch.ledger.errors import LedgerError
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.present.api.plants import DAY_MS, MOST_DAYS, bounded, configured, unreadable
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.api.shapes import Value
from meltwatch.present.api.shapes_history import Gap, GapMap, Held
from meltwatch.present.api.web import GivenWeb, Web

MOST_POINTS = 100
MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
T = TypeVar("T")

At = Annotated[int, QueryParameter(name="at", description="ms UTC")]
From = Annotated[int, QueryParameter(name="from", description="ms UTC")]
To = Annotated[int, QueryParameter(name="to", description="ms UTC")]
_POINT = QueryParameter(name="point", description="may be repeated")
Points = Annotated[list[str], _POINT]
SomePoints = Annotated[list[str] | None, _POINT]


@get("/api/plants/{enterprise:str}/history/snapshot")
async def snapshot(
    enterprise: FromPath[str], web: GivenWeb, at: At, point: SomePoints = None
) -> Held:
    """Tell what points held at an instant; all of the plant's, if none is named."""
    name = EnterpriseId(enterprise)
    return await _held(web, name, at, _known(web, name, point))


@get("/api/plants/{enterprise:str}/history/last")
async def last(enterprise: FromPath[str], web: GivenWeb, point: SomePoints = None) -> Held:
    """Tell the last value of points, however long ago it was."""
    name = EnterpriseId(enterprise)
    return await _held(web, name, web.clock.wall_ms(), _known(web, name, point))


@get("/api/plants/{enterprise:str}/history/gaps")
async def gaps(
    enterprise: FromPath[str],
    web: GivenWeb,
    at_from: From,
    at_to: To,
    point: SomePoints = None,
) -> GapMap:
    """Tell what of each source's time is complete or lost, and where points were silent."""
    name = EnterpriseId(enterprise)
    codes = _known(web, name, point) if point else []
    _window(at_from, at_to)
    found = await _asked(web, lambda: web.trends.gaps(name, at_from, at_to, codes))
    return GapMap(
        at_from=at_from,
        at_to=at_to,
        sources=tuple(
            Gap(source=one.source, state=one.state, begins=one.begins, ends=one.ends)
            for one in found.sources
        ),
        silent=found.silent,
    )


@get("/api/plants/{enterprise:str}/history/export")
async def export(
    enterprise: FromPath[str],
    web: GivenWeb,
    at_from: From,
    at_to: To,
    point: Points,
    form: Annotated[Literal["csv", "parquet"], QueryParameter(name="format")] = "csv",
) -> Stream:
    """Send the samples that rule as a file, hour by hour."""
    name = EnterpriseId(enterprise)
    codes = _known(web, name, point)
    _window(at_from, at_to)
    parts = web.trends.export(name, codes, at_from, at_to, form)
    first = await _asked(web, lambda: next(parts, b""))
    return Stream(
        _sent(web, first, parts),
        media_type=MEDIA[form],
        headers={"content-disposition": f'attachment; filename="{name}-{at_from}-{at_to}.{form}"'},
    )


async def _sent(web: Web, first: bytes, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    while part := await anyio.to_thread.run_sync(lambda: next(parts, b""), limiter=web.drawing):
        yield part


async def _held(web: Web, name: EnterpriseId, at: int, points: Sequence[PointCode]) -> Held:
    found: Found = await _asked(web, lambda: web.trends.snapshot(name, at, points))
    columns = (found.at.tolist(), found.value.tolist(), found.quality.tolist())
    values = {
        point: Value(at=when, value=value, quality=quality)
        for point, when, value, quality in zip(found.points, *columns, strict=True)
    }
    return Held(at=at, values=values)


async def _asked(web: Web, ask: Callable[[], T]) -> T:
    bounded(web)
    try:
        return await anyio.to_thread.run_sync(ask, limiter=web.drawing)
    except (HistoryError, LedgerError) as error:
        raise unreadable(error) from error


def _known(web: Web, name: EnterpriseId, points: Sequence[str] | None) -> list[PointCode]:
    """Return the points asked, all of the plant's if none; raises ApiRefused for one it has not."""
    known = configured(web, name).points
    if points is None:
        return list(known)
    if len(points) > MOST_POINTS:
        raise ApiRefused(400, Problem("query/point", "history.many_points", {"most": MOST_POINTS}))
    problems = [
        Problem("query/point", "plant.unknown_point", {"point": one[:100]})
        for one in points
        if PointCode(one) not in known
    ]
    if problems:
        raise ApiRefused(400, *problems)
    return [PointCode(one) for one in points]


def _window(at_from: int, at_to: int) -> None:
    if not 0 <= at_from < at_to <= at_from + MOST_DAYS * DAY_MS:
        raise ApiRefused(400, Problem("query/from", "trend.window", {"days": MOST_DAYS}))
