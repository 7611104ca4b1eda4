"""Whatever the API says no with, as problem+json in both languages: the framework's words too."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from meltwatch.errors import MeltwatchError, Problem
from meltwatch.model.reason import Params
from meltwatch.present.api import shapes
from meltwatch.present.problem import MEDIA_TYPE
from meltwatch.present.words import words_of
from meltwatch.present.words_given import Words

_log = logging.getLogger(__name__)

RETRY_S = 2
AnyRequest = Request[Any, Any, Any]


class ApiRefused(MeltwatchError):
    """The request cannot be done: the handler answers with its status and problems."""

    def __init__(
        self,
        status: int,
        *problems: Problem,
        headers: Mapping[str, str] | None = None,
        words: Callable[[Problem], Words] = words_of,
    ) -> None:
        """Keep what is wrong; `words` tells a problem in both languages."""
        self.status, self.problems, self.words = status, problems, words
        self.headers = dict(headers or {})
        super().__init__("; ".join(map(str, problems)))


def document(
    status: int, problems: Sequence[Problem], words: Callable[[Problem], Words] = words_of
) -> shapes.Problems:
    """Return the problem+json document."""
    told = [(one, words(one)) for one in problems]
    first, (chinese, english) = told[0]
    return shapes.Problems(
        type=f"urn:meltwatch:problem:{first.key}",
        status=status,
        title=english,
        title_zh=chinese,
        problems=tuple(
            shapes.Problem(place=one.place, key=one.key, params=one.params, zh=zh, en=en)
            for one, (zh, en) in told
        ),
    )


def say_no(_: AnyRequest, refused: ApiRefused) -> Response[bytes]:
    """Answer a refusal of ours."""
    body = msgspec.json.encode(document(refused.status, refused.problems, refused.words))
    return Response(
        body, status_code=refused.status, media_type=MEDIA_TYPE.decode(), headers=refused.headers
    )


def say_no_to_http(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer a refusal of the framework's: an unknown address, a malformed body."""
    path = request.scope["path"]
    headers = {name: value for name, value in (error.headers or {}).items() if name != "detail"}
    match error.status_code:
        case 404:
            problems = [Problem(path, "route.unknown")]
        case 405:
            allowed = _without_options(headers.get("allow", ""))
            problems = [Problem(path, "route.method", {"allowed": allowed})]
            headers = {"allow": allowed}
        case 413:
            most = request.route_handler.resolve_request_max_body_size() or 0
            problems = [Problem("body", "request.body_too_large", {"limit": most})]
        case 400:
            problems = list(_malformed(error))
        case status:
            problems = [Problem(path, "request.refused", {"status": status})]
    return say_no(request, ApiRefused(error.status_code, *problems, headers=headers))


def say_later(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer while the register cannot be read or written: nothing was changed."""
    problem = Problem("", "register.unavailable", {"reason": str(error)})
    return say_no(request, ApiRefused(503, problem, headers={"retry-after": str(RETRY_S)}))


def say_sorry(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer a fault of ours; what happened stands in the log, not in the answer."""
    _log.error("%s %s", request.method, request.scope["path"], exc_info=error)
    return say_no(request, ApiRefused(500, Problem("", "server.fault")))


_USUAL: tuple[tuple[re.Pattern[str], Problem, tuple[str, ...]], ...] = (
    (
        re.compile(r"Expected `(?:str|array)` of length >= (\d+)"),
        Problem("", "request.too_short"),
        ("least",),
    ),
    (
        re.compile(r"Expected `(?:str|array)` of length <= (\d+)"),
        Problem("", "request.too_long"),
        ("most",),
    ),
    (
        re.compile(r"Object missing required field `([^`]+)`"),
        Problem("", "request.field_missing"),
        ("field",),
    ),
    (
        re.compile(r"Object contains unknown field `([^`]+)`"),
        Problem("", "request.field_unknown"),
        ("field",),
    ),
    (
        re.compile(r"Expected `([^`]+)`, got `([^`]+)`"),
        Problem("", "request.wrong_type"),
        ("expected", "told"),
    ),
)
"""What msgspec says, what we say, and the parameters in their order."""
_NO_PARAMETER = re.compile(r"Missing required query parameter '([^']+)'")
_NO_BODY = "'data'"
_TRUNCATED = "Input data was truncated"
_PLACE = re.compile(r" - at `\$\.?([^`]*)`")
_WHY_MOST = 200


def _malformed(error: HTTPException) -> list[Problem]:
    """Return what does not fit, each with its place."""
    extra = error.extra if isinstance(error.extra, list) else []
    told = [one for one in extra if isinstance(one, dict)]
    if not told:
        return [_of_message("", error.detail)]
    return [_of_message(_place(one), str(one.get("message", ""))) for one in told]


def _place(told: Mapping[str, Any]) -> str:
    source = getattr(told.get("source"), "value", told.get("source")) or "body"
    key = str(told.get("key", ""))
    key = "" if key == "data" else key.removeprefix("data.").removeprefix("at_")
    return f"{source}/{key}" if key else str(source)


def _of_message(place: str, why: str) -> Problem:
    """Return msgspec's message as a problem of ours, as far as it is one of the usual ones."""
    within = _PLACE.search(why)
    place = place or (f"body/{within[1]}" if within and within[1] else "body")
    for told, problem, names in _USUAL:
        if found := told.search(why):
            params: Params = {
                name: int(one) if one.isdigit() else one[:_WHY_MOST]
                for name, one in zip(names, found.groups(), strict=True)
            }
            return Problem(place, problem.key, params)
    if found := _NO_PARAMETER.search(why):
        return Problem(f"query/{found[1]}", "request.field_missing", {"field": found[1]})
    if why == _NO_BODY:
        return Problem("body", "request.body_missing")
    if "JSON" in why or why == _TRUNCATED:
        return Problem(place, "request.broken_json", {"why": why[:_WHY_MOST]})
    return Problem(place, "request.malformed", {"why": why[:_WHY_MOST]})


def _without_options(allowed: str) -> str:
    return ", ".join(one for one in allowed.split(", ") if one and one != "OPTIONS")
