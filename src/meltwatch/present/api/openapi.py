"""The API as a document for programs, made once; no page that loads anything from elsewhere.

The framework lists the routes; the shapes are described by what encodes them (msgspec), so that
what stands here is what is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Response, get
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ControllerRouterHandler

from meltwatch import __version__
from meltwatch.present.api import shapes
from meltwatch.present.api.rights import CHANGING, HEADER, TABLE, Reach

EVENTS = "text/event-stream"
_REF = "#/components/schemas/{name}"
_REFUSED = {
    "description": "Refused: each problem with its place and its fix, in both languages.",
    "content": {
        "application/problem+json": {"schema": {"$ref": _REF.format(name="Problems")}},
    },
}
_INTENT = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "schema": {"type": "string", "const": "1"},
    "description": "Another site's page cannot send it.",
}


def answers(shape: Any, *, media: str = "application/json") -> dict[int, ResponseSpec]:
    """Return how a route that answers ready bytes is described."""
    return {
        200: ResponseSpec(
            data_container=shape, media_type=media, generate_examples=False, description="Done."
        )
    }


def document_route(described: Sequence[ControllerRouterHandler]) -> HTTPRouteHandler:
    """Return the route that tells the document of some routes."""
    made: list[bytes] = []
    making = threading.Lock()

    @get("/api/openapi.json", include_in_schema=False, sync_to_thread=True)
    def openapi() -> Response[bytes]:
        """Tell the API as OpenAPI 3.1."""
        with making:
            if not made:
                made.append(msgspec.json.encode(_document(described)))
        return Response(made[0], media_type=MediaType.JSON)

    return openapi


def _document(described: Sequence[ControllerRouterHandler]) -> dict[str, Any]:
    config = OpenAPIConfig(
        title="熔哨 Meltwatch",
        version=__version__,
        description="docs/api.md says what it means. Instants are ms UTC.",
        use_handler_docstrings=True,
    )
    app = Litestar(
        described,
        dependencies={"web": Provide(lambda: None, sync_to_thread=False)},
        openapi_config=config,
        logging_config=None,
    )
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["components"] = {
        "schemas": _shapes(),
        "securitySchemes": {
            "session": {"type": "apiKey", "in": "cookie", "name": shapes.COOKIE},
        },
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(operation, method.upper(), path)
    return document


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    """Add what every route has: how it says no, who may ask, and the header of a change."""
    responses = operation["responses"]
    responses.pop("400", None)
    responses["4XX"] = responses["5XX"] = _REFUSED
    right = TABLE[method, path]
    if right.reach is not Reach.PUBLIC:
        operation["security"] = [{"session": []}]
        operation["x-roles"] = sorted(right.roles)
    if method in CHANGING:
        operation.setdefault("parameters", []).append(_INTENT)


def _shapes() -> dict[str, Any]:
    every = [
        one
        for one in vars(shapes).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one is not shapes.Shape
    ]
    _, components = msgspec.json.schema_components(every, ref_template=_REF)
    return components
