"""For every test of this folder: asyncua kept quiet, and every request that it sends recorded."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.collect.opcua.stage import READING, Recorder


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the library's own words about lost lines out of the tests: reports are what counts."""
    logger = logging.getLogger("asyncua")
    before, logger.level = logger.level, logging.CRITICAL + 1
    yield
    logger.setLevel(before)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Record every request; whoever uses this writes on purpose."""
    with Recorder() as told:
        yield told


@pytest.fixture(autouse=True)
def reads(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Fail any test in which a source asked a server for more than to be read."""
    with Recorder() as told:
        yield told
    if "recorder" not in request.fixturenames:
        assert set(told.requests) <= READING
