"""What the architecture tests read: the tree, ARCHITECTURE.md and the layers contract."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "meltwatch"
MAP = ROOT / "ARCHITECTURE.md"

PURE = ("evaluate", "alarm", "handling", "regulation", "risk", "model")
"""The pure middle, and the nouns that it reads."""


class Room(NamedTuple):
    """A row of ARCHITECTURE.md's code map."""

    name: str
    is_package: bool
    state: str

    @property
    def path(self) -> Path:
        return PACKAGE / (self.name if self.is_package else f"{self.name}.py")


def rooms() -> dict[str, Room]:
    """Return the code map: rows "| `room/` | answers | may not | state |"."""
    row = re.compile(r"^\| `(\w+)(/|\.py)` \|[^|]+\|[^|]+\| (\w+) \|$", re.MULTILINE)
    found = [
        Room(name, end == "/", state) for name, end, state in row.findall(MAP.read_text("utf-8"))
    ]
    return {room.name: room for room in found}


def standing() -> dict[str, Path]:
    """Return what stands directly under the package, by name."""
    modules = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    packages = {path.parent.name: path.parent for path in PACKAGE.glob("*/__init__.py")}
    return modules | packages


def pure_modules() -> list[Path]:
    """Return every module of the pure middle, and the journey that calls it."""
    return [
        PACKAGE / "journey.py",
        *(path for room in PURE for path in sorted((PACKAGE / room).rglob("*.py"))),
    ]


def sources() -> list[Path]:
    """Return every Python file of the project."""
    return [
        path for place in ("src", "tests", "tools") for path in sorted((ROOT / place).rglob("*.py"))
    ]


def contract(name: str) -> dict[str, Any]:
    """Return an import-linter contract by its id."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts: list[dict[str, Any]] = config["tool"]["importlinter"]["contracts"]
    return next(one for one in contracts if one["id"] == name)


def layers_in(text: str) -> list[list[str]]:
    """Return the layers that a page's line `... apps > present > ...` draws, top first."""
    line = re.search(r"apps > [\w >|]+", text)
    assert line is not None, "no line of layers"
    return [layer.strip().split(" | ") for layer in line[0].split(" > ")]
