"""`jarvisperf rag`: add documents, search them, build contexts and evaluate the retrieval."""

from jarvisperf.cli.rag.commands import add_commands

__all__ = ["add_commands"]
