"""Finds an asv suite, and proposes the file that lets pytest run its benchmarks of time and peak memory."""

from __future__ import annotations

import ast
import re
from importlib import resources
from typing import TYPE_CHECKING

from jarvisperf.cli.init.changes import ProposedChange, changed

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATIONS = ("asv.conf.json", "*/asv.conf.json", "asv.conf.jsonc", "*/asv.conf.jsonc")
FOLDER = re.compile(r'^\s*"benchmark_dir"\s*:\s*"([^"]+)"', flags=re.MULTILINE)  # the file may contain comments
BRIDGE = "test_asv.py"
MEASURED = ("time_", "Time", "peakmem_", "PeakMem")
LEFT_OUT = ("timeraw_", "mem_", "track_")


def asv_folder(root: Path) -> Path | None:
    """Return the folder with a project's asv benchmarks, relative to the project; None if there are none."""
    for pattern in CONFIGURATIONS:
        for path in sorted(root.glob(pattern)):
            match = FOLDER.search(path.read_text(encoding="utf-8", errors="replace"))
            folder = (path.parent / (match[1] if match else "benchmarks")).resolve()
            if folder.is_relative_to(root.resolve()) and _names(folder, MEASURED):
                return folder.relative_to(root.resolve())
    return None


def propose_bridge(root: Path, folder: Path) -> list[ProposedChange]:
    """Propose the file that runs the benchmarks of this folder under pytest."""
    text = (resources.files("jarvisperf.cli.init") / "templates" / "test_asv.py.txt").read_text(encoding="utf-8")
    return changed(root, folder / BRIDGE, text)


def left_out(folder: Path) -> str:
    """Say which of the suite's benchmarks that file does not run; empty if it runs all of them.

    Args:
        folder: The suite's folder.
    """
    names = _names(folder, LEFT_OUT)
    kinds = [kind for kind in LEFT_OUT if any(name.startswith(kind) for name in names)]
    return f", except {len(names)} ({', '.join(kinds)})" if names else ""


def _names(folder: Path, prefixes: tuple[str, ...]) -> list[str]:
    """Return the names of the functions in a suite that begin with one of the prefixes."""
    names = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):  # asv cannot read it either
            continue
        names += [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith(prefixes)]
