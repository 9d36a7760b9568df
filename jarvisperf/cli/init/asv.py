"""Finds an asv suite, and proposes the file that lets pytest run its benchmarks of time and peak memory."""

from __future__ import annotations

import ast
import re
from importlib import resources
from typing import TYPE_CHECKING

from jarvisperf.cli.init.changes import ProposedChange, changed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATIONS = ("asv.conf.json", "*/asv.conf.json", "asv.conf.jsonc", "*/asv.conf.jsonc")
FOLDER = re.compile(r'^\s*"benchmark_dir"\s*:\s*"([^"]+)"', flags=re.MULTILINE)  # the file may contain comments
BRIDGE = "test_asv.py"
MEASURED = ("time_", "Time", "peakmem_", "PeakMem")
LEFT_OUT = ("timeraw_", "mem_", "track_")


def asv_folder(root: Path) -> Path | None:
    """Return the folder with a project's asv benchmarks, relative to the project; None if there are none to run."""
    return next((folder for folder in _folders(root) if _names(root / folder, MEASURED)), None)


def only_left_out(root: Path) -> str:
    """Describe an asv suite of which no benchmark can be run; empty if there is none.

    Args:
        root: The project's folder.
    """
    for folder in _folders(root):
        kinds = _kinds(_names(root / folder, LEFT_OUT))
        if kinds and not _names(root / folder, MEASURED):
            return f"the asv suite in {folder.as_posix()} has only benchmarks of kinds that pytest cannot run ({kinds})"
    return ""


def _folders(root: Path) -> Iterator[Path]:
    """Find the folders that configurations of asv name, relative to the project."""
    for pattern in CONFIGURATIONS:
        for path in sorted(root.glob(pattern)):
            match = FOLDER.search(path.read_text(encoding="utf-8", errors="replace"))
            folder = (path.parent / (match[1] if match else "benchmarks")).resolve()
            if folder.is_relative_to(root.resolve()):
                yield folder.relative_to(root.resolve())


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
    return f", except {len(names)} ({_kinds(names)})" if names else ""


def _kinds(names: list[str]) -> str:
    return ", ".join(kind for kind in LEFT_OUT if any(name.startswith(kind) for name in names))


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
