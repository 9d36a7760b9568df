"""Finds a project's benchmarks by reading its files, without running its code."""

from __future__ import annotations

import ast
import fnmatch
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jarvisperf.cli.init.pytest_settings import PytestSettings

FIXTURES = frozenset({"jarvis_bench", "benchmark", "codspeed_benchmark"})
MARKERS = FIXTURES - {"codspeed_benchmark"}
USUAL_FILES = ("test_*.py", "*_test.py")
# Folders that pytest skips by default (`norecursedirs`).
PASSED_OVER = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")


def find_benchmarks(root: Path, settings: PytestSettings) -> list[Path]:
    """Find the files with benchmarks (tests with the fixture or marker), in `testpaths` or else in the whole project.

    Args:
        root: The project's folder.
        settings: How it configures pytest.

    Returns:
        The files, relative to the project, sorted.
    """
    tests = [place for pattern in settings.testpaths for place in sorted(root.glob(pattern))]
    found = _benchmarks_below(tests) or _benchmarks_below([root])
    return sorted({path.relative_to(root) for path in found})


def pytest_words(files: Sequence[Path], settings: PytestSettings) -> list[str]:
    """Return the folders of these files as arguments for pytest, and files that pytest would skip by name.

    Args:
        files: The files, relative to the project.
        settings: How it configures pytest.
    """
    patterns = settings.python_files or USUAL_FILES
    folders = {path.parent for path in files if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)}
    outermost = {folder for folder in folders if not folders.intersection(folder.parents)}
    alone = {path for path in files if not outermost.intersection(path.parents)}
    return sorted(path.as_posix() for path in outermost | alone)


def _benchmarks_below(places: Iterable[Path]) -> list[Path]:
    return [path for place in places for path in python_files_below(place) if _has_benchmark(path)]


def python_files_below(place: Path) -> Iterator[Path]:
    """Yield the Python files in a folder, sorted, leaving out the folders that pytest does not enter."""
    if place.is_file():
        yield place
        return
    for parent, folders, names in os.walk(place):
        folders[:] = sorted(
            name
            for name in folders
            if not any(fnmatch.fnmatch(name, pattern) for pattern in PASSED_OVER)
            and not (Path(parent) / name / "pyvenv.cfg").exists()
        )
        yield from (Path(parent) / name for name in sorted(names) if name.endswith(".py"))


def _has_benchmark(path: Path) -> bool:
    try:
        text = path.read_bytes()
        if not any(name.encode() in text for name in FIXTURES):
            return False
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):  # pytest cannot collect it either
        return False
    return any(map(_is_test_with_fixture, ast.walk(tree))) or any(map(_is_marker, ast.walk(tree)))


def _is_test_with_fixture(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test"):
        return False
    arguments = node.args
    return any(
        argument.arg in FIXTURES for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    )


def _is_marker(node: ast.AST) -> bool:
    """Return whether a node is ``pytest.mark.benchmark`` or ``pytest.mark.jarvis_bench``."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in MARKERS
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "mark"
    )
