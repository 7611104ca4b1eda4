"""The command line: `meltwatch COMMAND`. Assembly only; every command lives in its own room."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from meltwatch.apps.account import add_account_commands
from meltwatch.apps.audit import run_verify
from meltwatch.apps.bench.command import add_bench
from meltwatch.apps.core_process import run_core
from meltwatch.apps.demo.demo import run_demo
from meltwatch.apps.gateway_file import run_gateway
from meltwatch.apps.history import add_history_commands
from meltwatch.apps.keeping import add_keeping, keeping_of
from meltwatch.apps.node import node_of
from meltwatch.apps.play import Play, play, speed_of
from meltwatch.apps.seal import HISTORY, seal
from meltwatch.apps.serve import serve
from meltwatch.apps.simulate import Simulate, accident_of, run_simulate
from meltwatch.apps.story import Told, tell
from meltwatch.apps.upkeep import add_upkeep
from meltwatch.apps.web import run_web
from meltwatch.clock import SystemClock
from meltwatch.collect.story import Deliver, story_of
from meltwatch.errors import Problem, Refused, StoryRefused
from meltwatch.ledger.errors import LedgerError
from meltwatch.present.words import words_of

OK, DIFFERENT, REFUSED = 0, 1, 2
BEHIND_HTTPS = "people come through a proxy on this machine that speaks https"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 well, 1 it did not hold, 2 the input is wrong."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Refused as refused:
        for problem in refused.problems:
            chinese, english = words_of(problem)
            print(f"meltwatch: {problem.place}: {chinese} / {english}", file=sys.stderr)
        return REFUSED
    except LedgerError as error:
        chinese, english = words_of(Problem("", "ledger.unavailable", {"reason": str(error)}))
        print(f"meltwatch: {chinese} / {english}", file=sys.stderr)
        return DIFFERENT  # it may pass: a supervisor tries again


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="meltwatch", description="熔哨 Meltwatch")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    story = commands.add_parser("story", help="tell a story through the journey and compare")
    story.add_argument(
        "file", type=Path, help="a *.story.yaml file, its plant in plants/ beside it"
    )
    story.add_argument("--json", action="store_true", help="print one JSON object")
    story.add_argument(
        "--deliver",
        action="append",
        default=[],
        metavar="HOW",
        help="batches=N, shuffle[=SEED], duplicate, kill=T; several with commas",
    )
    story.set_defaults(run=_story)
    _add_core(commands.add_parser("core", help="the core process: intake, ledger, journeys"))
    seal = commands.add_parser("seal", help="seal a ledger's samples into Parquet segments")
    seal.add_argument("--node", type=Path, required=True, help="the node's file, *.yaml")
    seal.add_argument("--data", type=Path, required=True, help="the directory that core uses")
    seal.add_argument("--once", action="store_true", help="seal what is there and end")
    seal.set_defaults(run=_seal)
    play = commands.add_parser("play", help="play a recorded CSV file to a server as a gateway")
    play.add_argument("--csv", type=Path, required=True, help="the recorded file")
    play.add_argument("--map", type=Path, required=True, help="which column is which, *.yaml")
    play.add_argument("--to", required=True, metavar="URL", help="the server's address")
    play.add_argument("--gateway", required=True, help="of clock domain recorded, in the node file")
    play.add_argument("--key-id", required=True)
    play.add_argument("--secret", required=True)
    play.add_argument(
        "--speed", type=speed_of, default=1.0, help="seconds of the file in a real one, or max"
    )
    play.add_argument("--at", metavar="ISO", help="the instant of the first row; else the file's")
    play.set_defaults(run=_play)
    _add_web(commands.add_parser("web", help="the web process: sign-in, API, screens"))
    _add_serve(commands.add_parser("serve", help="serve a node: core, web and sealer, watched"))
    _add_demo(commands.add_parser("demo", help="two simulated plants and a server, to try it"))
    add_account_commands(commands.add_parser("account", help="who may sign in"))
    add_history_commands(commands.add_parser("history", help="ask what was measured"))
    _add_simulate(commands.add_parser("simulate", help="serve a simulated plant over OPC UA"))
    gateway = commands.add_parser("gateway", help="read an OPC UA server, send it to the node")
    gateway.add_argument("--config", type=Path, required=True, help="the gateway's file, *.yaml")
    gateway.set_defaults(run=_gateway)
    add_upkeep(commands)
    add_bench(commands.add_parser("bench", help="measure what this machine does, checked"))
    _add_audit(commands.add_parser("audit", help="the record of what people did"))
    return parser


def _add_audit(audit: argparse.ArgumentParser) -> None:
    verify = audit.add_subparsers(required=True, metavar="WHAT").add_parser(
        "verify", help="tell whether the chains are sound and fit each other"
    )
    verify.add_argument("--data", type=Path, required=True, help="the node's data directory")
    verify.add_argument(
        "--head", action="append", default=[], help="a head that was printed and written down"
    )
    verify.set_defaults(run=_audit_verify)


def _add_core(core: argparse.ArgumentParser) -> None:
    core.add_argument("--node", type=Path, required=True, help="the node's file, *.yaml")
    core.add_argument("--data", type=Path, required=True, help="the directory of its ledger")
    core.add_argument("--host", default="127.0.0.1")
    core.add_argument("--port", type=port_of, default=8701)
    core.add_argument(
        "--sync",
        choices=["full", "off"],
        default="full",
        help="off: do not wait for the disk (for trials only: a power cut loses what was taken)",
    )
    add_keeping(core)
    core.set_defaults(run=_core)


def _add_web(web: argparse.ArgumentParser) -> None:
    web.add_argument("--node", type=Path, required=True, help="the node's file, *.yaml")
    web.add_argument("--data", type=Path, required=True, help="the directory that core uses")
    web.add_argument("--host", default="127.0.0.1")
    web.add_argument("--port", type=port_of, default=8700)
    web.add_argument("--behind-https", action="store_true", help=BEHIND_HTTPS)
    web.set_defaults(run=_web)


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--node", type=Path, required=True, help="the node's file, *.yaml")
    serve.add_argument("--data", type=Path, required=True, help="the directory of all its data")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=port_of, default=8700, help="for people")
    serve.add_argument("--intake", type=port_of, default=8701, help="the port for gateways")
    serve.add_argument("--behind-https", action="store_true", help=BEHIND_HTTPS)
    serve.add_argument("--sync", choices=["full", "off"], default="full", help="as of core")
    add_keeping(serve)
    serve.set_defaults(run=_serve)


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--port", type=port_of, default=8700, help="where a browser goes")
    demo.add_argument("--directory", type=Path, help="keep its files here; else they are removed")
    demo.add_argument("--calm", type=float, default=60.0, help="seconds before the accident")
    demo.add_argument("--smoke", action="store_true", help="show without a person that it works")
    demo.set_defaults(run=_demo)


def _add_simulate(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument("--kind", choices=["dc-fixed", "steel"], required=True)
    simulate.add_argument("--unit", required=True, help="its name in the plant, say well-1")
    simulate.add_argument("--port", type=port_of, default=4840, help="on loopback")
    simulate.add_argument("--seed", type=int, default=7)
    simulate.add_argument(
        "--head-start", type=int, default=420, help="how old the plant is at first, seconds"
    )
    simulate.add_argument(
        "--accident", action="append", default=[], metavar="YAML", help="{name: water_lost, ...}"
    )
    simulate.add_argument("--ledger", type=Path, help="a CSV file with every sample served")
    simulate.add_argument(
        "--wait", type=float, default=0.0, help="wait so long for the first reader, seconds"
    )
    simulate.set_defaults(run=_simulate)


def _story(options: argparse.Namespace) -> int:
    told = tell(story_of(options.file), deliver_of(",".join(options.deliver)))
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    else:
        _print(told)
    return OK if told.passed else DIFFERENT


def _core(options: argparse.Namespace) -> int:
    node = node_of(options.node)

    def announce(address: str) -> None:
        print(f"meltwatch: {node.name} at {address}", flush=True)

    run_core(
        node,
        options.data,
        host=options.host,
        port=options.port,
        sync=options.sync,
        keeping=keeping_of(options),
        announce=announce,
    )
    return OK


def _seal(options: argparse.Namespace) -> int:
    node = node_of(options.node)
    sealed = seal(
        options.data,
        node.plants,
        SystemClock(),
        once=options.once,
        keeping=node.keeping,
        tell=_tell_of_history,
    )
    print(f"meltwatch: {sealed.made} segments sealed in {options.data / HISTORY}")
    return DIFFERENT if sealed.failed else OK


def _tell_of_history(enterprise: str, error: Exception, is_sealed: bool) -> None:
    problem = Problem(enterprise, "history.stopped", {"reason": str(error)})
    if is_sealed:
        problem = Problem(enterprise, "history.not_compacted", {"reason": str(error)})
    chinese, english = words_of(problem)
    print(f"meltwatch: {enterprise}: {chinese} / {english}", file=sys.stderr, flush=True)


def _play(options: argparse.Namespace) -> int:
    told = {name: getattr(options, name) for name in Play.__struct_fields__}
    return play(Play(**told))


def _serve(options: argparse.Namespace) -> int:
    told = {
        name: getattr(options, name) for name in ("host", "port", "intake", "sync", "behind_https")
    }
    return serve(options.node, options.data, keeping=keeping_of(options), **told)


def _web(options: argparse.Namespace) -> int:
    run_web(
        node_of(options.node),
        options.data,
        host=options.host,
        port=options.port,
        behind_https=options.behind_https,
    )
    return OK


def _demo(options: argparse.Namespace) -> int:
    return run_demo(options.directory, options.port, options.calm, smoke=options.smoke)


def _simulate(options: argparse.Namespace) -> int:
    told = Simulate(
        kind=options.kind,
        unit=options.unit,
        port=options.port,
        seed=options.seed,
        head_start_s=options.head_start,
        accidents=tuple(map(accident_of, options.accident)),
        ledger=options.ledger,
        wait_s=options.wait,
    )
    run_simulate(told, SystemClock())
    return OK


def _gateway(options: argparse.Namespace) -> int:
    run_gateway(options.config)
    return OK


def _audit_verify(options: argparse.Namespace) -> int:
    return run_verify(options.data, options.head)


def _print(told: Told) -> None:
    print(f"{'passed' if told.passed else 'FAILED'}  {told.story}")
    for one in told.occurrences:
        returned = "still raised" if one.returned is None else f"{one.returned:g}"
        print(f"  {one.condition:<24} {one.raised:>8g} -> {returned:<12} {' '.join(one.flags)}")
    for line in told.difference:
        print(f"  {line}")


def port_of(text: str) -> int:
    """Return a port's number, 0 to 65535; raises ArgumentTypeError."""
    if not text.isdigit() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text}: 0..65535")
    return int(text)


def deliver_of(text: str) -> Deliver:
    """Return the way of delivery that `batches=1,shuffle,duplicate,kill=300` words.

    Raises StoryRefused, naming every part that is not understood.
    """
    told: dict[str, object] = {}
    kills: list[float] = []
    problems: list[Problem] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        try:
            match name:
                case "batches" if int(value) > 0:
                    told["batches"] = int(value)
                case "shuffle":
                    told["shuffle"] = int(value or 0)
                case "duplicate" if not value:
                    told["duplicate"] = True
                case "kill":
                    kills.append(float(value))
                case _:
                    problems.append(Problem(f"--deliver {part}", "unknown_delivery"))
        except ValueError:
            problems.append(Problem(f"--deliver {part}", "not_a_number", {"value": value}))
    if problems:
        raise StoryRefused(problems)
    return msgspec.convert({**told, "kill": tuple(sorted(kills))}, Deliver)


if __name__ == "__main__":
    sys.exit(main())
