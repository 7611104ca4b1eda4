"""The worked example of docs/formats/frame.md does what the page says: openssl, then curl."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from meltwatch.model.ids import EpochId, SourceId
from meltwatch.model.quality import Quality
from meltwatch.transport import errors
from meltwatch.transport.admit import admit
from meltwatch.transport.answer import Standing, answer, encode, refusal
from meltwatch.transport.errors import FrameRefused
from meltwatch.transport.intake import Header, Limits, check_asking, check_header
from meltwatch.transport.judge import CELLS
from meltwatch.transport.signature import digest, sign, verify
from tests.transport.given import BOOK, KEYS, NOW, PLANT, SECRET

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "frame.md"
STEP = re.compile(r"```sh\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
OUR_SERVER = "SERVER=https://meltwatch.example\n"


def steps() -> list[tuple[str, str]]:
    """Return the example's commands with what the page says that they print."""
    return STEP.findall(PAGE.read_text("utf-8"))


def needed(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program} program on this machine: the page's example was not run")


def test_the_signature_of_openssl_is_ours(tmp_path: Path) -> None:
    needed("bash", "openssl", "cut")
    commands, printed = steps()[0]
    assert run(commands, tmp_path) == printed
    body = (tmp_path / "frame.json").read_bytes()
    told_digest, told_signature = printed.split()
    assert digest(body).hex() == told_digest
    assert sign(SECRET, body) == told_signature
    assert verify(SECRET, body, told_signature)


def test_the_whole_example_prints_what_the_page_says(tmp_path: Path, server: str) -> None:
    needed("bash", "openssl", "cut", "curl")
    commands = "\n".join(f"{told}\necho '<end>'" for told, _ in steps())
    ours = f"export no_proxy=127.0.0.1\nSERVER={server}\n"
    commands = commands.replace(OUR_SERVER, ours)
    printed = [one.strip() for one in run(commands, tmp_path).split("<end>")][:-1]
    assert printed == [told.strip() for _, told in steps()]
    assert len(printed) == 4


def test_the_page_and_the_program_name_the_same_keys() -> None:
    """Whatever a sender may meet stands on the page, and nothing else."""
    listed = set(re.findall(r"\b(?:frame|row)\.[a-z_]+", errors.__doc__ or ""))
    on_page = set(re.findall(r"`((?:frame|row)\.[a-z_]+)`", PAGE.read_text("utf-8")))
    used = {
        key
        for source in Path(errors.__file__).parent.glob("*.py")
        for key in re.findall(r'"((?:frame|row)\.[a-z_]+)"', source.read_text("utf-8"))
    }
    assert listed == used
    assert on_page == listed - {
        "frame.unavailable"
    }  # a 503: whoever answers so, it means one thing


def test_the_page_tells_the_limits_in_force() -> None:
    page = PAGE.read_text("utf-8")
    limits = Limits()
    assert f"{limits.body_bytes // 2**20} MiB, {limits.rows:,} rows" in page
    assert (CELLS[0], CELLS[-1]) == (3, 5)
    names = re.findall(r"(\d+) (uncertain|bad|substituted|late|corrected|clock|test)\b", page)
    for bit, name in names:
        assert Quality[name.upper()] == int(bit)
    assert len({name for _, name in names}) == 7


def run(commands: str, where: Path) -> str:
    """Return what the commands print."""
    bash = shutil.which("bash") or "bash"
    how = [bash, "-euo", "pipefail", "-c", commands]
    done = subprocess.run(how, cwd=where, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Edge(BaseHTTPRequestHandler):
    """The least edge around intake: it knows one plant and keeps only the last number."""

    last_seq: int = 0

    def do_POST(self) -> None:
        assert self.path == "/v1/frames"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            checked = check_header(body, self._header(), keys=KEYS, sources=PLANT.sources, now=NOW)
        except FrameRefused as refused:
            self._say(refused.status, encode(refusal(refused, NOW)))
            return
        type(self).last_seq = checked.frame.seq
        told = answer(admit(checked.frame, BOOK, NOW), last_seq=checked.frame.seq, now=NOW)
        self._say(200, encode(told))

    def do_GET(self) -> None:
        gateway, epoch = self.path.split("/")[-2:]
        check_asking(self.path, SourceId(gateway), self._header(), keys=KEYS, sources=PLANT.sources)
        told = Standing(
            gateway=SourceId(gateway),
            epoch=EpochId(epoch),
            last_seq=self.last_seq,
            newest_epoch=EpochId(epoch),
            server_time=NOW,
        )
        self._say(200, encode(told))

    def _header(self) -> Header:
        return Header(
            key=self.headers["Meltwatch-Key"],
            signature=self.headers["Meltwatch-Signature"],
            sent_at=self.headers["Meltwatch-Sent-At"],
        )

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Serve on a free port of this machine; return the address."""
    edge = HTTPServer(("127.0.0.1", 0), Edge)
    thread = threading.Thread(target=edge.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{edge.server_port}"
    edge.shutdown()
    thread.join()
    edge.server_close()
