"""The core as a process: what keeps it from starting is one line with the fix, and exit code 2.

And what its local socket survives: a kill, a successor, an orderly stop while web listens.
"""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from meltwatch.apps.seal import LEDGER
from meltwatch.audit.chain import Head
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.ids import CommandId, EnterpriseId, OccurrenceId
from meltwatch.model.log import Acknowledge
from meltwatch.present.live.core_line import CoreAway, Obeyed, Order
from meltwatch.present.live.line import SocketLine
from meltwatch.present.live.picture import Picture
from meltwatch.present.live.wire import socket_of
from tests.durability.plant import write_node
from tests.durability.sender import HOST, CoreProcess

ENDS_WITHIN_S = 30.0


def refused(node: Path, data: Path, *more: str) -> str:
    """Start a core that must refuse to; return the one line that it says."""
    command = [sys.executable, "-m", "meltwatch.apps.cli", "core"]
    done = subprocess.run(
        [*command, "--node", str(node), "--data", str(data), *more],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("meltwatch: ")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in line)
    return line


def test_two_cores_on_one_directory(tmp_path: Path) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"
    with CoreProcess(node, data) as core:
        assert "Another core uses this data directory" in refused(node, data, "--port", "0")
        assert httpx.get(f"{core.url}/healthz").status_code == 200
        assert core.stop() == 0


def test_a_taken_port_is_said_and_the_address_is_not(tmp_path: Path) -> None:
    node = write_node(tmp_path)
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        told = refused(node, tmp_path / "data", "--port", str(port))
    assert f"Port {port} is in use" in told


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_ours(tmp_path: Path, host: str) -> None:
    told = refused(write_node(tmp_path), tmp_path / "data", "--host", host, "--port", "0")
    assert "cannot be listened on" in told


def nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense" * 4096)


def newer(path: Path) -> None:
    text = path.read_bytes()
    path.write_bytes(text[:60] + (99).to_bytes(4, "big") + text[64:])  # its user_version


@pytest.mark.parametrize("name", ["state.sqlite", "index.sqlite"])
@pytest.mark.parametrize(
    ("spoil", "words"), [(nonsense, "is damaged"), (newer, "run the version that wrote it")]
)
def test_a_file_that_is_not_sound(
    tmp_path: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"
    EmbeddedHome(data / LEDGER).close()
    spoil(data / LEDGER / name)
    told = refused(node, data, "--port", "0")
    assert words in told
    assert str(data / LEDGER) in told


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert "The store is unavailable" in refused(write_node(tmp_path), tmp_path / "data")


def test_the_address_is_told_once_it_answers(tmp_path: Path) -> None:
    """Port 0: whoever starts it reads where it is."""
    command = [sys.executable, "-m", "meltwatch.apps.cli", "core", "--port", "0"]
    node = ["--node", str(write_node(tmp_path)), "--data", str(tmp_path / "data")]
    with subprocess.Popen([*command, *node], stdout=subprocess.PIPE, text=True) as core:
        assert core.stdout is not None
        line = core.stdout.readline()
        found = re.fullmatch(r"meltwatch: durable-county at (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line
        assert httpx.get(f"{found[1]}/healthz").status_code == 200
        core.terminate()
        assert core.wait(ENDS_WITHIN_S) == 0


def test_web_finds_the_successor_of_a_killed_core_and_its_order_is_obeyed_once(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    asked = Order(
        enterprise=EnterpriseId("durable"),
        seq=1,
        command=Acknowledge(
            id=CommandId("c"),
            who="li",
            role="shift",
            node="durable-county",
            origin="::1",
            why="",
            occurrence=OccurrenceId("nobody's"),
        ),
        other=Head("web"),
    )

    async def before_and_after(core: CoreProcess) -> None:
        async with SocketLine(data) as line, asyncio.timeout(ENDS_WITHIN_S):
            async with aclosing(line.told()) as told:
                assert isinstance(await anext(told), Picture)
                first = await line.obey(asked)
                core.kill()
                with pytest.raises(CoreAway):
                    await anext(told)
            assert socket_of(data).exists(), "a kill leaves it behind"
            with pytest.raises(CoreAway):
                await line.obey(asked)
            core.start_and_wait()
            async with aclosing(line.told()) as told:
                picture = await anext(told)
                assert isinstance(picture, Picture)
                assert picture.plant is not None
                again = await line.obey(asked)
                assert isinstance(again, Obeyed)
                assert again == first
                assert [one.key for one in again.problems] == ["unknown_occurrence"]
                assert core.stop() == 0, core.said()

    with CoreProcess(write_node(tmp_path), data) as core:
        asyncio.run(before_and_after(core))
        assert "Traceback" not in core.said()
    assert not socket_of(data).exists()
    home = EmbeddedHome(data / LEDGER)
    (row,) = home.audit(0, 10)
    assert row.deed.other == Head("web")
    home.close()
