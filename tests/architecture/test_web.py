"""The screens: what stands in `web/`, and what the installed package has of it."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType

from tests.architecture.house import PACKAGE, ROOT

WEB = ROOT / "web"
SCREENS = PACKAGE / "present" / "screens"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|\son\w+=|javascript:", re.IGNORECASE)


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", WEB / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 50
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if name and "integrity" not in one] == []


def test_the_installed_screens_are_those_of_the_sources() -> None:
    stamp = SCREENS / "sources.sha256"
    assert stamp.exists(), "no screens: make install builds them"
    assert stamp.read_text("ascii") == hook().digest_of(WEB), "old screens: make install again"


def test_the_page_runs_no_inline_script() -> None:
    """What the content security policy would refuse does not get built."""
    page = (SCREENS / "index.html").read_text("utf-8")
    assert 'src="/assets/' in page
    assert INLINE.findall(page) == []


def test_no_screen_asks_another_server_for_anything() -> None:
    """No font, picture or script of elsewhere: a control room has no internet."""
    asked = re.compile(rb"""(?:url\(|src=|href=|import\(|fetch\()["'`]?https?://[^"'`)]*""")
    found = {
        path.name: asked.findall(path.read_bytes())
        for path in SCREENS.rglob("*")
        if path.suffix in {".html", ".css", ".js"}
    }
    assert found
    assert {name: places for name, places in found.items() if places} == {}
