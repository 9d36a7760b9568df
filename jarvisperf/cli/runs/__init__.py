"""The command `jarvisperf runs`."""

from jarvisperf.cli.runs.command import add_commands

__all__ = ["add_commands"]
