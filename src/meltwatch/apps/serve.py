"""`meltwatch serve`: core, web and sealer as processes of their own, started and watched together.

Each restarts alone. They are started core first and ended core last.
"""

from __future__ import annotations

from pathlib import Path

from meltwatch.apps.keeping import DEFAULT_KEEPING, Keeping, argv_of
from meltwatch.apps.node import node_of
from meltwatch.apps.processes import Child, watch
from meltwatch.clock import SystemClock
from meltwatch.ledger.database import Sync


def children_of(  # noqa: PLR0913  # one for each option of the command
    node: Path,
    data: Path,
    *,
    host: str,
    intake: int,
    port: int,
    sync: Sync = "full",
    behind_https: bool = False,
    keeping: Keeping = DEFAULT_KEEPING,
) -> list[Child]:
    """Return the processes of a server: gateways send to `intake`, people come to `port`."""
    given = ("--node", str(node), "--data", str(data))
    at = {name: ("--host", host, "--port", str(one)) for name, one in (("i", intake), ("p", port))}
    asked = "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host  # noqa: S104  # all: ask ours
    return [
        Child(
            name="core",
            argv=("core", *given, *at["i"], "--sync", sync, *argv_of(keeping)),
            ready=f"http://{asked}:{intake}/healthz",
        ),
        Child(name="sealer", argv=("seal", *given)),
        Child(
            name="web",
            argv=("web", *given, *at["p"], *(("--behind-https",) if behind_https else ())),
            ready=f"http://{asked}:{port}/healthz",
        ),
    ]


def serve(  # noqa: PLR0913  # one for each option of the command
    node: Path,
    data: Path,
    *,
    host: str,
    intake: int,
    port: int,
    sync: Sync,
    behind_https: bool,
    keeping: Keeping = DEFAULT_KEEPING,
) -> int:
    """Serve until SIGINT or SIGTERM; return 0, or 2 when a process refused its input.

    Raises NodeRefused before anything is started.
    """
    node_of(node)

    def welcome() -> None:
        print(f"meltwatch: 网页 web http://{host}:{port} · 网关 gateways http://{host}:{intake}")

    children = children_of(
        node,
        data,
        host=host,
        intake=intake,
        port=port,
        sync=sync,
        behind_https=behind_https,
        keeping=keeping,
    )
    return watch(children, SystemClock(), lambda line: print(line, flush=True), welcome)
