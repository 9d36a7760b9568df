"""The `jarvisperf` command: its sub-commands and their options."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

import jarvisperf
from jarvisperf.cli import bisect, blindspots, cache, completion, doctor, history, prove, rag, reports, runs
from jarvisperf.cli import init as starting
from jarvisperf.cli.common import Parser, add_command, fail
from jarvisperf.cli.printing import out, out_json
from jarvisperf.extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

BROKEN_PIPE = 128 + 13  # the status that a shell reports for a process ended by SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments; None: those of this process.

    Returns:
        The exit status: 0 for success, 1 for a regression or a failure. Wrong usage ends the process with status 2.
    """
    # Replacing characters that the terminal's encoding lacks is better than failing on them.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = make_parser().parse_args(argv)
    try:
        status = int(words.run(words))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    except MissingExtraError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130
    return status


def make_parser() -> argparse.ArgumentParser:
    """Build the parser with all sub-commands."""
    parser: argparse.ArgumentParser = Parser(
        prog="jarvisperf",
        description="Tell whether a change made your Python code slower. Benchmarks run with: pytest --jarvis-bench",
        epilog="""examples:
  jarvisperf init                                # add the gate to a project
  pytest --jarvis-bench --jarvis-against main    # compare with a revision
  jarvisperf report                              # show the report again

Each command shows its examples and exit status with --help.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jarvisperf {jarvisperf.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    starting.add_commands(commands)
    doctor.add_commands(commands)
    reports.add_commands(commands)
    history.add_commands(commands)
    bisect.add_commands(commands)
    blindspots.add_commands(commands)
    prove.add_commands(commands)
    runs.add_commands(commands)
    cache.add_commands(commands)
    rag.add_commands(commands)

    machine = add_command(
        commands,
        "machine",
        _machine,
        "print the facts about this machine that runs record",
        "jarvisperf machine --json",
    )
    machine.add_argument("--json", action="store_true", help="print JSON")

    add_command(commands, "schema", _schema, "print the JSON Schema of report.json", "jarvisperf schema > schema.json")
    completion.add_commands(commands, make_parser)
    return parser


def _machine(words: argparse.Namespace) -> int:
    import msgspec

    from jarvisperf.runs.machine import read_machine

    machine = read_machine()
    facts = {**msgspec.to_builtins(machine), "fingerprint": machine.fingerprint}
    if words.json:
        out_json(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    packages = facts.pop("packages")
    for name, value in (*facts.items(), *packages.items()):
        out(f"{name:24} {'unknown' if value is None else value}")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from jarvisperf.report.formats.json import json_schema

    out_json(json.dumps(json_schema(), indent=2))
    return 0
