"""Finds an asv suite, and proposes the file that lets pytest run it."""

from __future__ import annotations

import ast
import re
from importlib import resources
from typing import TYPE_CHECKING

from jarvisperf.cli.init.changes import Change, changed

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATIONS = ("asv.conf.json", "*/asv.conf.json", "asv.conf.jsonc", "*/asv.conf.jsonc")
FOLDER = re.compile(r'^\s*"benchmark_dir"\s*:\s*"([^"]+)"', flags=re.MULTILINE)  # the file may contain comments
BRIDGE = "test_asv.py"


def asv_folder(root: Path) -> Path | None:
    """Return the folder with a project's asv benchmarks, relative to the project; None if there are none."""
    for pattern in CONFIGURATIONS:
        for path in sorted(root.glob(pattern)):
            match = FOLDER.search(path.read_text(encoding="utf-8", errors="replace"))
            folder = (path.parent / (match[1] if match else "benchmarks")).resolve()
            if folder.is_relative_to(root.resolve()) and any(map(_has_timing, sorted(folder.rglob("*.py")))):
                return folder.relative_to(root.resolve())
    return None


def propose_bridge(root: Path, folder: Path) -> list[Change]:
    """Propose the file that runs the benchmarks of this folder under pytest."""
    text = (resources.files("jarvisperf.cli.init") / "templates" / "test_asv.py.txt").read_text(encoding="utf-8")
    return changed(root, folder / BRIDGE, text)


def _has_timing(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # asv cannot read it either
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("time_") for node in ast.walk(tree))
