"""A webhook that listens: it speaks what Alertmanager speaks, and notes when each alert came."""

from __future__ import annotations

import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from meltwatch.clock import SystemClock

GOES_ON_MS = 1_000


class _Alert(msgspec.Struct, rename="camel"):
    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None = None


class Sink:
    """Listens on a free port until closed."""

    def __init__(self) -> None:
        """Listen."""
        self.arrived: dict[tuple[str, str], int] = {}
        """When each firing alert first came, by point and its start as told; wall clock, ms."""
        sink, clock = self, SystemClock()
        decoder = msgspec.json.Decoder(list[_Alert])

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                now = clock.wall_ms()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for one in decoder.decode(body):
                    if one.ends_at is None or one.ends_at.timestamp() * 1000 > now + GOES_ON_MS:
                        key = (one.labels.get("point", ""), str(one.starts_at))
                        sink.arrived.setdefault(key, now)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def by_point(self) -> dict[str, list[int]]:
        """Return when alerts of each point came, ms UTC: more than one is a double."""
        found: dict[str, list[int]] = {}
        for (point, _), at in list(self.arrived.items()):
            found.setdefault(point, []).append(at)
        return found

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
