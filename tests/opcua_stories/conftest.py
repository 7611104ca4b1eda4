"""For every test of this folder: asyncua kept quiet; what counts are the reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("asyncua")
    before, logger.level = logger.level, logging.CRITICAL + 1
    yield
    logger.setLevel(before)
