"""The results file: one JSON line per comparison, written suite by suite, so that a run can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE = "comparisons.jsonl"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One function compared by one tool.

    Attributes:
        suite: The suite's name.
        scenario: `aa` or `mixed`.
        tool: `jarvisperf`, or `pytest-benchmark` and the statistic it compares.
        neighbour: Whether all cores were kept busy by other processes.
        threshold: The smallest change that counts, as a share.
        budget: Seconds of measuring per benchmark; None: the tool's default.
        kind: The kind of work.
        scale: How large a call was.
        factor: How many times the base's work the head did.
        verdict: The tool's word; of pytest-benchmark: `regressed` where it would fail, `improved` where it would fail
            with the arms swapped, else `unchanged`.
        ratio: What the tool found for head / base.
        interval: Its interval, where it gives one.
        suite_seconds: How long the whole suite took, both sides.
        trusted: What the run said of itself.
        message: The end of the tool's output where there is no verdict.
    """

    suite: str
    scenario: str
    tool: str
    neighbour: bool
    kind: str
    scale: int
    factor: float
    verdict: str
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    suite_seconds: float = 0.0
    trusted: bool = True
    message: str = ""
    threshold: float = 0.02
    budget: float | None = None


def append(folder: Path, comparisons: Iterable[Comparison]) -> None:
    """Add a suite's comparisons in one write."""
    encode = msgspec.json.encode
    with (folder / FILE).open("ab") as file:
        file.write(b"".join(encode(comparison) + b"\n" for comparison in comparisons))


def read(folder: Path) -> list[Comparison]:
    """Read all comparisons of a folder; none before the first run.

    A last line that was cut short (the machine went down) is left out.
    """
    path = folder / FILE
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=Comparison) for line in lines]


def done(comparisons: Iterable[Comparison]) -> set[tuple[str, str, bool, float | None]]:
    """Return what is already done: name of the suite, tool (without its statistic), neighbour, budget."""
    return {(found.suite, found.tool.partition(" ")[0], found.neighbour, found.budget) for found in comparisons}
