"""The command `jarvisperf prove`."""

from jarvisperf.cli.prove.command import add_commands

__all__ = ["add_commands"]
