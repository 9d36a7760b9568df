"""Slows one function down and asks the difference of profiles which: `python -m benchmarks.profile_lab`.

The functions are the gate lab's kinds of work: once alone, as the gate lab's benchmarks call them, and once one of
four, each called so often that all take about equally long; then a slowdown of 25 % of one is 6 % of the whole.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.gate_lab import kinds
from jarvisperf.bench.targets import FunctionTarget
from jarvisperf.profiles.difference import costs
from jarvisperf.profiles.engines import take_profile
from jarvisperf.profiles.model import Profile
from jarvisperf.profiles.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FACTORS = (1.05, 1.25, 1.5)
TOGETHER = (1, 4)
LEAST_SECONDS = 0.002


def main(rounds: int = 2) -> None:
    """Print how often the guilty function stood first, for each factor."""
    source = random.Random(1)  # noqa: S311  # which kinds stand together
    for together, factor in itertools.product(TOGETHER, FACTORS):
        wrong = [
            f"{guilty} ({first})"
            for _, guilty in itertools.product(range(rounds), kinds.kinds())
            if (first := _first(guilty, factor, source, together)) != f"{guilty}.py"
        ]
        count = rounds * len(kinds.kinds())
        told = f": not {', '.join(wrong)}" if wrong else ""
        sys.stdout.write(
            f"one of {together} slowed by {factor - 1:.0%}: first in {count - len(wrong)} of {count}{told}\n"
        )
        sys.stdout.flush()


def _first(guilty: str, factor: float, source: random.Random, together: int) -> str:
    """Give the file of the function that stands first."""
    others = [kind for kind in kinds.kinds() if kind != guilty]
    chosen = [guilty, *source.sample(others, together - 1)]
    source.shuffle(chosen)
    with tempfile.TemporaryDirectory() as folder:
        roots = {arm: Path(folder).resolve() / arm for arm in ("base", "head")}
        works: dict[str, list[Any]] = {}
        for arm, root in roots.items():
            slowed = {guilty: factor} if arm == "head" else {}
            works[arm] = [_loaded(kind, root, slowed.get(kind, 1.0)) for kind in chosen]
        calls = [max(round(LEAST_SECONDS / _seconds(work)), 1) for work in works["base"]]
        ends = socket.socketpair()
        children = []
        for end, (arm, root) in zip(ends, roots.items(), strict=True):
            child = os.fork()
            if child == 0:
                target = FunctionTarget(_together, (works[arm], calls))
                ends[1 - ends.index(end)].close()
                profile = take_profile(target, [root], turn=Turns(end, leads=arm == "base").turn)
                (root / "profile.json").write_bytes(msgspec.json.encode(profile))
                os._exit(0)
            children.append(child)
        for end in ends:
            end.close()
        for child in children:
            os.waitpid(child, 0)
        base, head = (
            msgspec.json.decode((root / "profile.json").read_bytes(), type=Profile) for root in roots.values()
        )
    return costs(head, base)[0].file


def _loaded(kind: str, root: Path, factor: float) -> Callable[[], object]:
    root.mkdir(exist_ok=True)
    file = root / f"{kind}.py"
    file.write_text(kinds.source(kind, 1, factor), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"{root.name}_{kind}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    work: Callable[[], object] = module.work
    return work


def _together(works: Sequence[Callable[[], object]], calls: Sequence[int]) -> None:
    for work, count in zip(works, calls, strict=True):
        for _ in range(count):
            work()


def _seconds(work: Callable[[], object]) -> float:
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
