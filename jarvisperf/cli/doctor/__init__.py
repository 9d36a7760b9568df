"""`jarvisperf doctor`: measures how noisy this machine is, and which threshold it supports."""

from jarvisperf.cli.doctor.command import add_commands

__all__ = ["add_commands"]
