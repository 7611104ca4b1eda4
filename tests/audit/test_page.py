"""The lines of Python on docs/formats/audit.md follow a chain without any of Meltwatch."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.audit.chain import Deed
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import encode
from meltwatch.present.words_audit import AUDIT
from tests.audit.telling import chain, deed

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "audit.md"


def run(path: Path, lines: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(lines), str(path)]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)


@pytest.mark.skipif("sm3" not in hashlib.algorithms_available, reason="this OpenSSL has no SM3")
def test_the_lines_on_the_page_follow_a_chain_and_find_a_changed_row(tmp_path: Path) -> None:
    (found,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = tmp_path / "follow.py"
    lines.write_text(found, "utf-8")
    with closing(EmbeddedHome(tmp_path / "ledger", sync="off")) as home:
        owner = home.partition("plant-1")
        owner.acquire()
        owner.commit(1, [], [deed("li", why="误报", params={"limit": 60.5}), deed("wang")])
        path = tmp_path / "ledger" / "state.sqlite"
        told = run(path, lines)
        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[-1] == f"2 {home.audit_head().hash.hex()} wang acknowledge"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            (stored,) = other.execute("SELECT data FROM audit WHERE number = 2").fetchone()
            changed = stored.replace(b"wang", b"zhao")
            other.execute("UPDATE audit SET data = ? WHERE number = 2", (changed,))
        assert "AssertionError: row 2" in run(path, lines).stderr


def test_the_page_names_every_field_and_every_finding() -> None:
    text = PAGE.read_text("utf-8")
    (row,) = chain([deed()])
    assert all(
        f"| `{name}` |" in text for name in (*row.__struct_fields__, *Deed.__struct_fields__)
    )
    told = {
        key
        for key in AUDIT
        if key.split(".")[1] not in {"no_ledger", "unreadable", "head_malformed"}
    }
    assert told == set(re.findall(r"^\| `(audit\.\w+)` \|", text, re.MULTILINE))
    assert encode(row)[0] == 1
