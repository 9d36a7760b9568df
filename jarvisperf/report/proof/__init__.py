"""The report of a proof: text, page and JSON."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["proof_lines", "write_proof"]

if TYPE_CHECKING:
    from jarvisperf.report.proof.text import proof_lines
    from jarvisperf.report.proof.writing import write_proof
else:
    __getattr__, __dir__ = attach(
        __name__, {"proof_lines": "jarvisperf.report.proof.text", "write_proof": "jarvisperf.report.proof.writing"}
    )
