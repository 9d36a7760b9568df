"""One trial: a function is slowed down, both sides are profiled in turns, and the difference says which it was."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.gate_lab import kinds
from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.profiles.difference import costs
from jarvisperf.profiles.engines import take_sliced
from jarvisperf.profiles.model import scaled
from jarvisperf.profiles.pairing import Sliced, matched
from jarvisperf.profiles.turns import Turns

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

LEAST_SECONDS = 0.002  # of each function in a call
LAUNCHES = 3


class Trial(msgspec.Struct, frozen=True):
    """A trial and its answer.

    Attributes:
        number: The trial's number, which decides which functions accompany the guilty one, and in which order.
        together: How many functions the target calls; all take about equally long in the base.
        factor: How many times as long the guilty one takes in head.
        functions: The functions, in the order of their calls.
        guilty: The one that is slower in head.
        first: The function that is first in the difference.
        share: The share of the change that this one explains.
        load: The machine's load average of the last minute.
    """

    number: int
    together: int
    factor: float
    functions: tuple[str, ...]
    guilty: str
    first: str
    share: float
    load: float


def run_trial(number: int, together: int, factor: float, source: random.Random) -> Trial:
    """Run one trial, each side in a process of its own."""
    guilty = kinds.kinds()[number % len(kinds.kinds())]
    functions = [guilty, *source.sample([kind for kind in kinds.kinds() if kind != guilty], together - 1)]
    source.shuffle(functions)
    os.environ["PYTHONHASHSEED"] = "0"  # as the plugin has it: the same in both
    with tempfile.TemporaryDirectory() as made:
        folders = [Path(made).resolve() / arm for arm in ("base", "head")]
        for folder, guilty_factor in zip(folders, (1.0, factor), strict=True):
            folder.mkdir()
            for kind in functions:
                text = kinds.source(kind, 1, guilty_factor if kind == guilty else 1.0)
                (folder / f"{kind}.py").write_text(text, encoding="utf-8")
        seconds = [_seconds(_loaded(folders[0] / f"{kind}.py")) for kind in functions]
        calls = [round(max(LEAST_SECONDS, *seconds) / each) for each in seconds]
        launches = [_launch(folders, functions, calls) for _ in range(LAUNCHES)]
    before, after = matched(launches)
    # In a report the totals are those that lockstep measured, which the lab knows: all functions take equally long.
    after = scaled(after, before.total * (1 + (factor - 1) / together))
    first = costs(after, before)[0]
    load = round(os.getloadavg()[0], 1)
    name = Path(first.file).stem
    return Trial(number, together, factor, tuple(functions), guilty, name, round(first.share, 3), load)


def _launch(folders: Sequence[Path], functions: Sequence[str], calls: Sequence[int]) -> tuple[Sliced, Sliced]:
    processes = multiprocessing.get_context("spawn")
    ends = socket.socketpair()
    arms = [
        processes.Process(target=_profile, args=(folder, functions, calls, end, folder == folders[0]))
        for folder, end in zip(folders, ends, strict=True)
    ]
    for arm in arms:
        arm.start()
    for end in ends:
        end.close()
    for arm in arms:
        arm.join()
    base, head = (msgspec.json.decode((folder / "profile.json").read_bytes(), type=Sliced) for folder in folders)
    return base, head


def _profile(folder: Path, functions: Sequence[str], calls: Sequence[int], end: socket.socket, leads: bool) -> None:
    works = [_loaded(folder / f"{kind}.py") for kind in functions]
    target = FunctionTarget(_together, (works, calls))
    taken = take_sliced(target, [folder], turn=Turns(end, leads=leads).turn)
    (folder / "profile.json").write_bytes(msgspec.json.encode(taken))


def _loaded(file: Path) -> Callable[[], object]:
    spec = importlib.util.spec_from_file_location(file.stem, file)
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
    for _ in range(3):
        work()
    return (time.perf_counter() - start) / 3
