"""Proves the gate on a user's own suite and machine: identical code, and slowdowns of known size."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Proof", "Rounds"]

if TYPE_CHECKING:
    from jarvisperf.gate.proof.model import Proof
    from jarvisperf.gate.proof.rounds import Rounds
else:
    __getattr__, __dir__ = attach(
        __name__, {"Proof": "jarvisperf.gate.proof.model", "Rounds": "jarvisperf.gate.proof.rounds"}
    )
