"""Every contract test runs over every home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.telling import Place, embedded_place, memory_place


@pytest.fixture(params=["memory", "embedded"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty home of each kind."""
    place = memory_place() if request.param == "memory" else embedded_place(tmp_path / "ledger")
    yield place
    place.home.close()
