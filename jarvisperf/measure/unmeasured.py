"""Explains why a benchmark that passed has no figures; the same in every mode."""

from __future__ import annotations


def nothing_measured(raised: str | None) -> str:
    """Return the explanation in one line.

    Args:
        raised: What the target raised, in one line; None if it did not raise.
    """
    if raised is not None:
        return (
            f"nothing was measured: the target raised {raised}, and the test caught it; "
            "catch it inside the target, so that each call returns"
        )
    return "nothing was measured: the test passed without calling jarvis_bench or benchmark"
