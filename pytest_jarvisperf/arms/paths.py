"""Translates this pytest's paths for an arm, whose pytest has the same root folder within the arm's checkout."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.git import GitError
from jarvisperf.gate.arms.prepare import relative_inside
from jarvisperf.gate.lockstep.model import LockstepError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest


class ArmPaths:
    """Computes paths relative to pytest's root folder.

    Args:
        config: The config of this pytest.
        repository: The top folder of the repository.
    """

    def __init__(self, config: pytest.Config, repository: Path) -> None:
        self._config = config
        self._root = config.rootpath
        self._repository = repository

    def files(self, items: Iterable[pytest.Item]) -> list[str]:
        """Return the arguments with which an arm's pytest collects these tests under the same ids.

        An id begins with the file relative to the root folder. For a file outside of it, the id begins with the file
        relative to the argument that named it; the arm then gets the same argument.

        Raises:
            GitError: A file lies outside of the repository.
            LockstepError: The tests of a file would have different ids in an arm.
        """
        return list(dict.fromkeys(self._relative(self._asked_by(item.path)) for item in items))

    def asked(self, folder: Path) -> list[str]:
        """Return this pytest's file and folder arguments for an arm, without those that do not exist there.

        Args:
            folder: The arm's root folder for pytest.
        """
        words = []
        for path, inside in self._words():
            with contextlib.suppress(GitError, LockstepError):  # an arm has no such place
                relative = self._relative(path)
                if (folder / relative).exists():
                    words.append(f"{relative}{inside}")
        return words

    def asked_places(self) -> list[Path]:
        """Return the files and folders in this pytest's arguments."""
        return [path for path, _ in self._words()]

    def config_file(self) -> Path | None:
        """Return pytest's configuration file: relative if it lies in the repository, so that each arm uses its own."""
        if self._config.inipath is None:
            return None
        file = self._config.inipath.parent.resolve() / self._config.inipath.name
        return Path(os.path.relpath(file, self._root.resolve())) if file.is_relative_to(self._repository) else file

    def _words(self) -> Iterator[tuple[Path, str]]:
        for word in self._config.args:
            file, colons, inside = word.partition("::")
            place = self._place_of_module(file) if self._config.option.pyargs else None
            yield place or Path(os.path.normpath(self._config.invocation_params.dir / file)), f"{colons}{inside}"

    @staticmethod
    def _place_of_module(name: str) -> Path | None:
        """Return the file or folder that a dotted name refers to under `--pyargs`; None if it is not a module."""
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError):
            return None
        if spec is None:
            return None
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        return Path(spec.origin) if spec.origin else None

    def _asked_by(self, file: Path) -> Path:
        if file.is_relative_to(self._root):
            return file
        above = [path for path, _ in self._words() if file.is_relative_to(path)]
        return max(above, key=lambda path: len(path.parts), default=file)

    def _relative(self, path: Path) -> str:
        if path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        relative_inside(path, self._repository)
        found = os.path.relpath(path.resolve(), self._root.resolve())
        if not found.startswith(os.pardir):
            raise LockstepError(
                f"{path} lies in pytest's root folder {self._root} only through a link, so its tests would have "
                f"other ids in the arms; give both as they are: --rootdir={self._root.resolve()} {path.resolve()}"
            )
        return found
