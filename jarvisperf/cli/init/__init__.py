"""`jarvisperf init`: finds out what a project uses, and proposes a CI job and, if there is none, a benchmark."""

from jarvisperf.cli.init.command import add_commands

__all__ = ["add_commands"]
