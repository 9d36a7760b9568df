"""Compares texts with golden files. `JARVISPERF_WRITE_GOLDEN=1` writes them again; look at the difference in git."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def expect_golden(name: str, text: str) -> None:
    """Fail unless a text is the content of a golden file.

    Args:
        name: The file, below `tests/report/golden`.
        text: The text.
    """
    path = GOLDEN / name
    if os.environ.get("JARVISPERF_WRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} differs; JARVISPERF_WRITE_GOLDEN=1 accepts the change"
