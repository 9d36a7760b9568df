"""Executes both arms of a small program in this process, one after the other, and compares their code."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.suspects.call_counts import CallCounter, count_calls
from jarvisperf.suspects.decision import ArmCode, Decided, suspects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jarvisperf.suspects.model import Execution


def compared(
    folder: Path,
    base: Mapping[str, str],
    head: Mapping[str, str],
    call: str = "work",
) -> Decided:
    """Find the suspects of a call of `work.work()` in a program that exists in two versions.

    Args:
        folder: An empty folder.
        base: The files of base, by name; `work.py` is among them.
        head: The files of head.
        call: The function of `work.py` that is called.
    """
    arms = []
    for name, files in (("base", base), ("head", head)):
        arm = folder / name
        arm.mkdir()
        for file, text in files.items():
            (arm / file).write_text(text, encoding="utf-8")
        arms.append(ArmCode(executed_in([arm], call), source_in([arm])))
    return suspects_of(*arms)


def executed_in(roots: Sequence[Path], call: str = "work") -> Execution:
    """Import `work` from an arm's folders, call one of its functions, and forget the arm's modules again."""
    path = list(sys.path)
    sys.path[:0] = [str(root) for root in reversed(roots)]
    importlib.invalidate_caches()
    try:
        prepared = CallCounter()
        with prepared:
            work: Any = importlib.import_module("work")
            arguments = (work.prepare(),) if hasattr(work, "prepare") else ()
            target = FunctionTarget(getattr(work, call), arguments)
            target.call()
        return count_calls(target, [prepared], roots)
    finally:
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if any(file.startswith(f"{root}/") for root in roots):
                del sys.modules[name]


def source_in(roots: Sequence[Path]) -> Callable[[str], str | None]:
    """Return what reads an arm's files by their places."""

    def source(place: str) -> str | None:
        number, _, name = place.partition("/")
        file = roots[int(number)] / name
        return file.read_text(encoding="utf-8") if file.exists() else None

    return source
