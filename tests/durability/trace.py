"""What a system-call trace says of a core: which answers went out before their frame was synced.

Pure: lines of `strace -f -y` in, findings out. A frame is known by the text of its body in a write
to a log file, an answer by what it tells: the number of rows accepted and the last number. So no
two gateways may send frames of as many rows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

WRITES = frozenset({"write", "pwrite64", "writev", "sendto", "sendmsg"})
SYNCS = frozenset({"fdatasync", "fsync"})
CALLS = ",".join(sorted(WRITES | SYNCS))

_CALL = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)")
_RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)")
_FILE = re.compile(r"(?P<fd>\d+)<(?P<path>[^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DONE = re.compile(r"= (?P<result>-?\d+)")
_UNFINISHED = "<unfinished ...>"
_LOG_FILE = re.compile(r"/log-\d+\.sqlite(-wal)?\Z")
_FRAME = re.compile(rb'"gateway":"([^"]+)","epoch":"[^"]+","seq":(\d+),')
_TAKEN = re.compile(rb'"accepted":(\d+),.*"last_seq":(\d+)', re.DOTALL)
_OK = b"HTTP/1.1 200"


class Call(NamedTuple):
    """A system call that succeeded: `issued` and `done` are lines of the trace."""

    name: str
    fd: int
    path: str
    data: bytes
    issued: int
    done: int


class Frame(NamedTuple):
    """A frame by its gateway and number."""

    gateway: str
    seq: int


class Found(NamedTuple):
    """The frames acknowledged, in order, and those of them that were not yet on the disk."""

    acknowledged: list[Frame]
    too_early: list[Frame]


def judge(lines: Iterable[str], gateways: Mapping[int, str]) -> Found:
    """Return what the trace shows; `gateways` by the numbers of rows of their frames.

    An answer is in time if it was begun after a sync of the log file had ended that was begun after
    the frame's first write there had ended.
    """
    written: dict[Frame, Call] = {}
    durable: set[Frame] = set()
    begun: dict[int, set[Frame]] = {}
    found = Found([], [])
    for call in calls_in(lines):
        if call.name in SYNCS and _LOG_FILE.search(call.path):
            log = call.path.removesuffix("-wal")
            durable |= {
                frame
                for frame, write in written.items()
                if write.done < call.issued and write.path.removesuffix("-wal") == log
            }
        elif call.name in WRITES and _LOG_FILE.search(call.path):
            for gateway, seq in _FRAME.findall(call.data):
                written.setdefault(Frame(gateway.decode(), int(seq)), call)
        elif call.name in WRITES:
            if call.data.startswith(_OK):
                begun[call.fd] = set(durable)  # the answer begins with its head, not its body
            if told := _TAKEN.search(call.data):
                frame = Frame(gateways[int(told[1])], int(told[2]))
                found.acknowledged.append(frame)
                if frame not in begun.pop(call.fd, set()):
                    found.too_early.append(frame)
    return found


def calls_in(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the calls that succeeded, in the order in which they take effect for `judge`.

    That is where they ended; but an answer counts from where it was begun.
    """
    pending: dict[str, tuple[int, str]] = {}
    calls: list[tuple[int, Call]] = []
    for number, line in enumerate(lines):
        if resumed := _RESUMED.match(line):
            issued, told = pending.pop(resumed["pid"], (number, ""))
            told += resumed["rest"]
        elif begun := _CALL.match(line):
            issued, told = number, f"{begun['name']}({begun['rest']}"
            if told.rstrip().endswith(_UNFINISHED):
                pending[begun["pid"]] = (issued, told.rstrip().removesuffix(_UNFINISHED))
                continue
        else:
            continue
        if call := _call_of(told, issued, number):
            is_answer = call.name in WRITES and not _LOG_FILE.search(call.path)
            calls.append((issued if is_answer else number, call))
    yield from (call for _, call in sorted(calls, key=lambda one: one[0]))


def _call_of(told: str, issued: int, done: int) -> Call | None:
    name, _, rest = told.partition("(")
    file, result = _FILE.match(rest), None
    for result in _DONE.finditer(rest):  # noqa: B007  # the last one is the call's own
        pass
    if name not in WRITES | SYNCS or file is None or result is None or int(result["result"]) < 0:
        return None
    data = b"".join(_bytes_of(text) for text in _TEXT.findall(rest))
    return Call(name, int(file["fd"]), file["path"], data, issued, done)


def _bytes_of(text: str) -> bytes:
    """Return the bytes that a C string of the trace stands for."""
    told = ast.literal_eval(f'b"{text}"')
    assert isinstance(told, bytes)
    return told
