"""The command line: `meltwatch COMMAND`. Assembly only; every command lives in its own room."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from meltwatch.apps.node import node_of
from meltwatch.apps.play import Play, play, speed_of
from meltwatch.apps.seal import HISTORY, seal
from meltwatch.apps.serve import serve
from meltwatch.apps.story import Told, tell
from meltwatch.clock import SystemClock
from meltwatch.collect.story import Deliver, story_of
from meltwatch.errors import Problem, Refused, StoryRefused
from meltwatch.present.words import words_of

OK, DIFFERENT, REFUSED = 0, 1, 2


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
    serve = commands.add_parser("serve", help="serve one enterprise: intake, ledger, journey")
    serve.add_argument("--node", type=Path, required=True, help="the node's file, *.yaml")
    serve.add_argument("--data", type=Path, required=True, help="the directory of its ledger")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8701)
    serve.add_argument(
        "--sync",
        choices=["full", "off"],
        default="full",
        help="off: do not wait for the disk (for trials only: a power cut loses what was taken)",
    )
    serve.set_defaults(run=_serve)
    seal = commands.add_parser("seal", help="seal a ledger's samples into Parquet segments")
    seal.add_argument("--node", type=Path, required=True, help="the node's file, *.yaml")
    seal.add_argument("--data", type=Path, required=True, help="the directory that serve uses")
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
    return parser


def _story(options: argparse.Namespace) -> int:
    told = tell(story_of(options.file), deliver_of(",".join(options.deliver)))
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    else:
        _print(told)
    return OK if told.passed else DIFFERENT


def _serve(options: argparse.Namespace) -> int:
    node = node_of(options.node)
    print(f"meltwatch: {node.plant.enterprise} at http://{options.host}:{options.port}", flush=True)
    serve(node, options.data, host=options.host, port=options.port, sync=options.sync)
    return OK


def _seal(options: argparse.Namespace) -> int:
    node = node_of(options.node)
    made = seal(options.data, node.plant.enterprise, SystemClock(), once=options.once)
    print(f"meltwatch: {made} segments sealed in {options.data / HISTORY}")
    return OK


def _play(options: argparse.Namespace) -> int:
    told = {name: getattr(options, name) for name in Play.__struct_fields__}
    return play(Play(**told))


def _print(told: Told) -> None:
    print(f"{'passed' if told.passed else 'FAILED'}  {told.story}")
    for one in told.occurrences:
        returned = "still raised" if one.returned is None else f"{one.returned:g}"
        print(f"  {one.condition:<24} {one.raised:>8g} -> {returned:<12} {' '.join(one.flags)}")
    for line in told.difference:
        print(f"  {line}")


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
