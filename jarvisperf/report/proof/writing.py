"""Writes a proof into the report's folder: `proof.json` and `proof.html`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jarvisperf.report.proof.page import rendered_page
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.gate.proof.model import Proof

JSON, PAGE = "proof.json", "proof.html"


def write_proof(proof: Proof, folder: Path) -> list[Path]:
    """Write both files, and return their paths.

    Raises:
        OSError: A file could not be written.
    """
    contents = {JSON: encoded_proof(proof), PAGE: rendered_page(proof)}
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]


def encoded_proof(proof: Proof) -> bytes:
    """Return a proof as JSON."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n"
