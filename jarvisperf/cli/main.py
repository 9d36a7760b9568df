"""The `jarvisperf` command: its sub-commands and their options."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

import jarvisperf
from jarvisperf.cli import cache, rag, runs

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The words after the command's name; None: those of this process.

    Returns:
        The exit status: 0 for success. Wrong words end the process with status 2.
    """
    # A result may hold characters that the terminal's encoding lacks; it is better shown with gaps than not at all.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    words = _parser().parse_args(argv)
    return int(words.run(words))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jarvisperf",
        description="Tell whether a change made your Python code slower. Benchmarks run with: pytest --jarvis-bench",
    )
    parser.add_argument("--version", action="version", version=f"jarvisperf {jarvisperf.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    machine = commands.add_parser("machine", help="print the facts about this machine that a run stores")
    machine.add_argument("--json", action="store_true", help="print JSON")
    machine.set_defaults(run=_machine)

    schema = commands.add_parser("schema", help="print the JSON Schema of report.json")
    schema.set_defaults(run=_schema)

    runs.add_commands(commands)
    cache.add_commands(commands)
    rag.add_commands(commands)
    return parser


def _machine(words: argparse.Namespace) -> int:
    import msgspec

    from jarvisperf.runs.machine import read_machine

    machine = read_machine()
    facts = {**msgspec.to_builtins(machine), "fingerprint": machine.fingerprint}
    if words.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    packages = facts.pop("packages")
    for name, value in (*facts.items(), *packages.items()):
        print(f"{name:24} {'unknown' if value is None else value}")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from jarvisperf.report.json_file import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0
