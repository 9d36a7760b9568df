"""Finds the functions of the project in the working tree."""

from __future__ import annotations

import sys
from pathlib import Path

from jarvisperf.gate.arms.copying import listed
from jarvisperf.gate.arms.git import git
from jarvisperf.gate.project.installed import installed_from
from jarvisperf.gate.project.packages import find_layout, is_in_folder, shared_test_folder
from jarvisperf.suspects.noticeable import FunctionPlace, functions_in


def functions_of_project(folder: Path) -> list[FunctionPlace]:
    """Return the functions of a project's own packages, without tests.

    Args:
        folder: The project's folder, in a git repository.

    Raises:
        GitError: It is not in a repository.
        OSError: A file cannot be read.
    """
    root = Path(git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    places = find_layout(root, folder.resolve(), sys.path, installed_from(root)).places()
    found = []
    for name in listed(root):
        is_own = name.endswith(".py") and any(is_in_folder(name.removesuffix(".py"), place) for place in places)
        if is_own and shared_test_folder(name, places) is None and (root / name).is_file():
            found += functions_in(name, (root / name).read_text(encoding="utf-8", errors="replace"))
    return found
