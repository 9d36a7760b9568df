"""`jarvisperf blindspots`: what the suite would not notice."""

from jarvisperf.cli.blindspots.command import add_commands

__all__ = ["add_commands"]
