"""The nodes that the tests of intake ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.ledger.embedded import EmbeddedHome
from tests.present.intake_stage import Node


@pytest.fixture
def busy_node(tmp_path: Path) -> Iterator[Node]:
    """A node that does not take anything yet."""
    with closing(EmbeddedHome(tmp_path / "ledger", sync="off")) as home, asyncio.Runner() as runner:
        node = Node(home, runner)
        yield node
        node.close()


@pytest.fixture
def node(busy_node: Node) -> Node:
    busy_node.start()
    return busy_node
