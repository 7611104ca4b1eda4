"""The application of the web process: routes, the guard before them, what every answer carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Message, Scope

from meltwatch.present.api import history, node, numbers, orders, plants, session, streams
from meltwatch.present.api.guard import guard_of
from meltwatch.present.api.openapi import document_route
from meltwatch.present.api.refusals import ApiRefused, say_later, say_no, say_no_to_http, say_sorry
from meltwatch.present.api.rights import check_rights
from meltwatch.present.api.screens import screen_routes
from meltwatch.present.api.web import Web
from meltwatch.register.errors import RegisterUnavailable

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # charts and Element Plus place things by attribute
        "img-src 'self' data:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE = (b"cache-control", b"no-store")


API: tuple[HTTPRouteHandler, ...] = (
    session.sign_in,
    session.who_is_signed_in,
    session.sign_out,
    plants.plants,
    plants.plant,
    plants.picture,
    plants.trend,
    history.snapshot,
    history.last,
    history.gaps,
    history.export,
    streams.plant_live,
    streams.overview_live,
    orders.acknowledge,
    orders.verify,
    orders.handle,
    orders.close,
    node.health,
    node.findings,
    numbers.numbers,
)


def make_app(web: Web, screens: Path | None, *, more: Sequence[HTTPRouteHandler] = ()) -> Litestar:
    """Return the application; raises Bug for a route that the rights table does not have."""
    app = Litestar(
        [*API, document_route(API), *screen_routes(screens), *more],
        dependencies={"web": Provide(lambda: web, sync_to_thread=False)},
        guards=[guard_of(web)],
        exception_handlers={
            ApiRefused: say_no,
            RegisterUnavailable: say_later,
            HTTPException: say_no_to_http,
            Exception: say_sorry,
        },
        before_send=[_add_headers],
        request_max_body_size=web.settings.body_bytes,
        openapi_config=None,
        logging_config=None,
    )
    check_rights(app)
    return app


async def _add_headers(message: Message, _: Scope) -> None:
    """Add what every answer carries; nothing of the API may be kept by anybody."""
    if message["type"] != "http.response.start":
        return
    headers = [*message["headers"], *ALWAYS]
    named = {name.lower() for name, _ in headers}
    if b"cache-control" not in named:
        headers.append(NO_STORE)
    message["headers"] = headers
