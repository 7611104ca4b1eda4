"""The map is the tree: ARCHITECTURE.md names every room, and the house rules hold in each file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.house import PACKAGE, ROOT, rooms, sources, standing

FORBIDDEN_NAMES = {"base", "common", "helpers", "manager", "utils"}
LINES, LINES_WITH_A_REASON = 400, 600
OF_A_MACHINE = re.compile(r"(?<![\w.\-])/(?:work|root|home)/\w")


def test_every_room_that_stands_is_on_the_map() -> None:
    missing = sorted(standing().keys() - rooms().keys())
    assert not missing, f"ARCHITECTURE.md's code map does not name {missing}"


def test_every_state_on_the_map_is_true() -> None:
    assert {room.state for room in rooms().values()} <= {"built", "planned"}
    for room in rooms().values():
        assert room.path.exists() == (room.state == "built"), (
            f"ARCHITECTURE.md marks {room.name} {room.state}: "
            f"mark it {'built' if room.path.exists() else 'planned'}"
        )


def test_every_folder_of_the_package_is_a_room() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    bare = sorted(
        str(one.relative_to(ROOT)) for one in folders if not (one / "__init__.py").exists()
    )
    assert not bare, f"no __init__.py, so no docstring that says what it answers: {bare}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_named_for_its_subject_and_is_not_too_long(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES, "name it after what it answers"
    text = path.read_text("utf-8")
    told = ast.get_docstring(ast.parse(text)) or ""
    reasoned = any(line.startswith("Long because: ") for line in told.splitlines())
    allowed = LINES_WITH_A_REASON if reasoned else LINES
    lines = text.count("\n")
    assert lines <= allowed, f"{lines} lines: {allowed} at most (a docstring line 'Long because: ')"


def test_no_file_names_a_place_on_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _texts()
        for number, line in enumerate(_lines(path), start=1)
        if OF_A_MACHINE.search(line)
    ]
    assert not found


@pytest.mark.parametrize("place", ["home", "root", "work"])
def test_a_place_on_one_machine_would_be_found(place: str) -> None:
    assert OF_A_MACHINE.search(f"see /{place}/someone/notes")
    assert not OF_A_MACHINE.search(f"https://example.org/{place}/someone")


def _texts() -> list[Path]:
    """Return every file but those that .gitignore leaves out."""
    ignored = {line.rstrip("/") for line in _lines(ROOT / ".gitignore") if line and line[0] != "#"}
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and not _is_left_out(path.relative_to(ROOT), ignored | {".git"})
    ]


def _is_left_out(path: Path, ignored: set[str]) -> bool:
    """A pattern with a slash before it is a place from the root on, another one any name."""
    anchored = (Path(pattern.lstrip("/")) for pattern in ignored if pattern.startswith("/"))
    return any(path.is_relative_to(place) for place in anchored) or any(
        Path(part).match(pattern) for part in path.parts for pattern in ignored
    )


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines()
