"""Proves the gate on the user's own suite (`--jarvis-prove`)."""

from pytest_jarvisperf.proving.session import ProofSession

__all__ = ["ProofSession"]
