"""What every test may ask for: the shared ground, and how Hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# `ci`: the same examples every time. `deep`: others and more (`pytest --hypothesis-profile=deep`).
settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("deep", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared(root: Path) -> Path:
    """Return the shared ground: stories, semantics, measurements that the product does not copy."""
    told = os.environ.get("MELTWATCH_SHARED")
    ground = Path(told) if told else root.parent / "shared"
    if not (ground / "SEMANTICS.md").is_file():
        pytest.skip(
            f"the shared ground (SEMANTICS.md, DESIGN.md, stories/) is not at {ground}: "
            "put it beside the project as ../shared, or name its place in MELTWATCH_SHARED"
        )
    return ground
