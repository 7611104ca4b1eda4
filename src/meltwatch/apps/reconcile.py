"""`meltwatch reconcile`: what one end holds of each source, compared with what another one holds.

    meltwatch reconcile DATA|OUTBOX DATA|URL

An end is a data directory (a node's, or a restored backup), a gateway's outbox file, or a server's
address. An outbox knows only what is not acknowledged yet; of what is, it knows that it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec

from meltwatch.apps.seal import LEDGER
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.port import gateway_epoch
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.ledger.span import Difference, Span, differences, span_of
from meltwatch.model.reason import Params
from meltwatch.present.api.rights import HEADER
from meltwatch.transport.signature import digest

ASK_S = 30.0


class End(Protocol):
    """Who answers for one end."""

    def sources(self) -> list[str]:
        """Return the sources (`gateway/epoch`) that it knows of."""
        ...

    def span(self, source: str, first: int, last: int) -> Span:
        """Return count and hash of the numbers from `first` to `last`."""
        ...


class LedgerEnd:
    """A data directory's ledger."""

    def __init__(self, reader: EmbeddedReader) -> None:
        """Answer from an open reader."""
        self.span = reader.span
        self._reader = reader

    def sources(self) -> list[str]:
        """Return every gateway's epochs."""
        return sorted(one for one in self._reader.sources() if gateway_epoch(one))


class OutboxEnd:
    """A gateway's outbox file, while no gateway runs on it."""

    def __init__(self, file: sqlite3.Connection) -> None:
        """Answer from an open file."""
        self._file = file
        (self._gateway,) = file.execute("SELECT gateway FROM outbox").fetchone()

    def sources(self) -> list[str]:
        """Return the epochs that it still knows."""
        rows = self._file.execute("SELECT epoch FROM epochs ORDER BY epoch")
        return [f"{self._gateway}/{epoch}" for (epoch,) in rows]

    def span(self, source: str, first: int, last: int) -> Span:
        """Return count and hash of what is not acknowledged; `last_seq` counts all."""
        epoch = source.rpartition("/")[2]
        forgotten, end = self._file.execute(
            "SELECT forgotten, last FROM epochs WHERE epoch = ?", (epoch,)
        ).fetchone()
        rows = self._file.execute(
            "SELECT seq, body FROM frames WHERE epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (epoch, first, last),
        )
        held = ((seq, digest(body)) for seq, body in rows)
        return span_of(source, (first, last), held, forgotten + 1, end)

    def acknowledged(self, source: str) -> int:
        """Return the last number that the server has acknowledged."""
        return self.span(source, 1, 1).held_from - 1


class ApiEnd:
    """A server, asked over its API by whoever may see the plant."""

    def __init__(self, client: httpx.Client, enterprise: str) -> None:
        """Ask through a client that is signed in."""
        self._client, self._enterprise = client, enterprise

    def sources(self) -> list[str]:
        """Return nothing: it answers for what the other end knows."""
        return []

    def span(self, source: str, first: int, last: int) -> Span:
        """Return count and hash as the server tells them; raises Refused."""
        asked: dict[str, str | int] = {"source": source, "first": first, "last": last}
        path = f"/api/plants/{self._enterprise}/numbers"
        return msgspec.json.decode(_asked(self._client.get, path, params=asked), type=Span)


def compared(here: End, there: End) -> Iterator[Difference]:
    """Yield what two ends do not hold alike, source by source.

    What `here` is an outbox and was acknowledged, but `there` has not, is named as lost there.
    """
    if not isinstance(here, OutboxEnd):
        for source in sorted({*here.sources(), *there.sources()}):
            yield from differences(here.span, there.span, source)
        return
    for source in here.sources():
        reached, safe = there.span(source, 1, 1).last_seq, here.acknowledged(source)
        if reached < safe:
            yield Difference(source, reached + 1, safe, "lost_there")
        for one in differences(here.span, there.span, source):
            # What waits in an outbox is not lost: its turn comes.
            if one.kind != "here_only" or one.last <= reached:
                yield one


@contextmanager
def end_of(told: str, enterprise: str = "", login: str = "", password: str = "") -> Iterator[End]:
    """Open an end: a URL, a data directory, or an outbox file; raises Refused."""
    if told.startswith(("http://", "https://")):
        with httpx.Client(
            base_url=told, timeout=ASK_S, trust_env=False, headers={HEADER: "1"}
        ) as client:
            _asked(client.post, "/api/session", json={"login": login, "password": password})
            yield ApiEnd(client, enterprise)
    elif (Path(told) / LEDGER / "index.sqlite").is_file():
        with closing(EmbeddedReader(Path(told) / LEDGER)) as reader:
            yield LedgerEnd(reader)
    elif Path(told).is_file():
        with closing(_outbox(Path(told))) as file:
            yield OutboxEnd(file)
    else:
        raise Refused([Problem(told, "reconcile.no_end")])


def problem_of(one: Difference) -> Problem:
    """Return a difference with words for people."""
    told: Params = {"first": one.first, "last": one.last}
    match one.kind:
        case "here_only":
            return Problem(one.source, "reconcile.here_only", told)
        case "there_only":
            return Problem(one.source, "reconcile.there_only", told)
        case "lost_there":
            return Problem(one.source, "reconcile.lost_there", told)
        case _:
            return Problem(one.source, "reconcile.unlike", told)


def _outbox(path: Path) -> sqlite3.Connection:
    """Open an outbox for reading; raises Refused when it is none or a gateway has it."""
    file = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=1)
    try:
        file.execute("PRAGMA query_only = ON")
        file.execute("SELECT gateway FROM outbox").fetchone()
    except sqlite3.DatabaseError as error:
        file.close()
        why: Params = {"reason": str(error)}
        raise Refused([Problem(str(path), "reconcile.outbox_unreadable", why)]) from error
    return file


def _asked(ask: Any, path: str, **what: Any) -> bytes:
    """Ask a server; raises Refused with what it says."""
    try:
        response = ask(path, **what)
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        why: Params = {"status": error.response.status_code, "reason": error.response.text[:300]}
        raise Refused([Problem(path, "reconcile.server_refuses", why)]) from error
    except httpx.HTTPError as error:
        raise Refused([Problem(path, "reconcile.no_server", {"reason": str(error)})]) from error
    return bytes(response.content)
