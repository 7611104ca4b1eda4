"""What the ledger holds of a source's numbers: count and hash of a range, to be compared."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter

from meltwatch.errors import Problem
from meltwatch.ledger.errors import LedgerError
from meltwatch.ledger.port import gateway_epoch
from meltwatch.ledger.span import MOST_NUMBERS, Span
from meltwatch.model.ids import EnterpriseId, SourceId
from meltwatch.present.api.plants import RETRY_S, configured
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.api.web import GivenWeb


@get("/api/plants/{enterprise:str}/numbers")
async def numbers(
    enterprise: FromPath[str],
    web: GivenWeb,
    source: Annotated[str, QueryParameter(description="gateway/epoch")],
    first: FromQuery[int],
    last: FromQuery[int],
) -> Span:
    """Tell count and hash of a gateway's numbers `first` to `last` of an epoch."""
    pair = gateway_epoch(source)
    plant = configured(web, EnterpriseId(enterprise))
    problems = []
    if pair is None or SourceId(pair[0]) not in plant.sources:
        problems.append(Problem("query/source", "numbers.unknown_source", {"source": source[:100]}))
    if not 1 <= first <= last <= first + MOST_NUMBERS - 1:
        problems.append(Problem("query/first", "numbers.range", {"most": MOST_NUMBERS}))
    if problems:
        raise ApiRefused(400, *problems)
    try:
        return await anyio.to_thread.run_sync(
            web.numbers.span, source, first, last, limiter=web.drawing
        )
    except LedgerError as error:
        problem = Problem("", "numbers.unreadable", {"reason": str(error)})
        raise ApiRefused(503, problem, headers={"retry-after": str(RETRY_S)}) from error
