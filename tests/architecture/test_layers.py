"""The layers that import-linter checks are those that the pages draw, and the check bites."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import (
    MAP,
    PACKAGE,
    PURE,
    ROOT,
    contract,
    layers_in,
    rooms,
    standing,
)


def checked_layers() -> list[list[str]]:
    return [
        [one.strip("() ") for one in layer.split("|")] for layer in contract("layers")["layers"]
    ]


def test_the_contract_is_the_line_of_the_architecture_page() -> None:
    assert checked_layers() == layers_in(MAP.read_text("utf-8"))


def test_the_contract_is_the_line_of_the_design(shared: Path) -> None:
    assert checked_layers() == layers_in((shared / "DESIGN.md").read_text("utf-8"))


def test_every_room_on_the_map_has_its_layer() -> None:
    layered = [name for layer in checked_layers() for name in layer]
    assert sorted(layered) == sorted(rooms().keys() - {"settings"})


def test_every_pure_room_that_stands_is_kept_from_the_world() -> None:
    kept = {name.removeprefix("meltwatch.") for name in contract("pure-world")["source_modules"]}
    assert set(PURE) & standing().keys() <= kept


@pytest.mark.parametrize(
    ("module", "imports", "broken"),
    [
        (
            "model/spy.py",
            "import meltwatch.alarm.board",
            "Rooms import only what stands below them",
        ),
        ("risk/spy.py", "import meltwatch.settings", "Only assembly reads the settings"),
        (
            "alarm/spy.py",
            "import meltwatch.clock",
            "The pure middle knows no clock and no settings",
        ),
        ("evaluate/spy.py", "import logging", "The pure middle touches no world"),
        ("misc/__init__.py", "import math", "Rooms import only what stands below them"),
    ],
)
def test_a_breach_is_found(tmp_path: Path, module: str, imports: str, broken: str) -> None:
    copy = tmp_path / "meltwatch"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for absent in ("clock.py", "settings.py"):
        (copy / absent).touch()
    (copy / module).parent.mkdir(exist_ok=True)
    (copy / module).write_text(f"{imports}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LINT, str(tmp_path), str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{broken} BROKEN" in done.stdout


LINT = """
import sys
sys.path.insert(0, sys.argv[1])
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename=sys.argv[2], no_cache=True))
"""
