"""`jarvisperf completion`: shell completion of commands and options, and of the stored runs' names while one types."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jarvisperf.cli.common import OK, CommandError, add_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from jarvisperf.cli.common import Subparsers

SHELLS = ("bash", "zsh", "tcsh")
NAMES = "jarvisperf runs list --names 2> /dev/null"
# Functions of the generated scripts, which ask for the names at each completion; tcsh completes without them.
FUNCTIONS = {
    "bash": f"""_jarvisperf_names() {{
  compgen -W "$({NAMES})" -- "$1"
}}
_jarvisperf_runs() {{
  compgen -W "$({NAMES}) latest" -- "$1"
  compgen -f -X '!*.json' -- "$1"
  compgen -d -- "$1"
}}
""",
    "zsh": f"""_jarvisperf_names() {{
  local -a names
  names=(${{(f)"$({NAMES})"}})
  compadd -a names
}}
_jarvisperf_runs() {{
  _jarvisperf_names
  compadd latest
  _files -g '*.json'
}}
""",
}


def complete_runs(action: argparse.Action) -> None:
    """Complete this argument with the names of stored runs, ``latest`` and JSON files."""
    action.complete = dict.fromkeys(FUNCTIONS, "_jarvisperf_runs")  # type: ignore[attr-defined]  # read by shtab


def complete_names(action: argparse.Action) -> None:
    """Complete this argument with the names of stored runs."""
    action.complete = dict.fromkeys(FUNCTIONS, "_jarvisperf_names")  # type: ignore[attr-defined]  # read by shtab


def add_commands(commands: Subparsers, whole: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser.

    Args:
        commands: The sub-commands to add it to.
        whole: Returns the parser with all sub-commands.
    """
    completion = add_command(
        commands,
        "completion",
        lambda words: _completion(words.shell, whole()),
        "print the shell completion for this command, which also completes the names of stored runs",
        'eval "$(jarvisperf completion bash)"',
        "jarvisperf completion zsh > ~/.zfunc/_jarvisperf",
    )
    completion.add_argument("shell", choices=SHELLS, help="which shell")


def _completion(shell: str, parser: argparse.ArgumentParser) -> int:
    try:
        import shtab
    except ModuleNotFoundError:
        raise CommandError("completion needs shtab, which is not installed: python -m pip install shtab") from None
    sys.stdout.write(shtab.complete(parser, shell=shell, preamble=FUNCTIONS) + "\n")  # type: ignore[arg-type]  # it takes a dict, too
    return OK
