"""Which modules of the project an arm imported from elsewhere than its own checkout: it would measure other code.

A module is judged by its file. A namespace package has none, and no code: wherever else it may have portions
(`google`, `opentelemetry`, an empty folder that an uninstallation left), only what was imported from them counts.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.project.packages import is_or_is_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Folders of the working tree that hold what an installer put there.
INSTALLED = frozenset({"site-packages", "dist-packages", "__pypackages__", "node_modules"})


class ForeignModules:
    """Looks through the imported modules, each once.

    Args:
        roots: Where the arm's modules may come from.
        packages: Dotted names of the project's packages and modules: they must come from there.
        repository: The working tree, from which nothing may come but what is installed in it.
    """

    def __init__(self, roots: Sequence[Path], packages: Iterable[str], repository: Path) -> None:
        self._roots = roots
        self._packages = tuple(packages)
        self._repository = repository
        self._checked: set[str] = {"__main__"}

    def find(self) -> dict[str, str]:
        """Give the files of foreign modules that were imported since the last look, by name."""
        found = {}
        for name, module in list(sys.modules.items()):
            if name not in self._checked:
                self._checked.add(name)
                file = _file(module)
                if file is not None and self.is_foreign(name, file):
                    found[name] = str(file)
        return found

    def is_foreign(self, name: str, file: Path) -> bool:
        """Tell whether a module of this name, from this file, is the project's and not from the arm's checkout."""
        if self.is_the_arms(file) or _is_the_standard_librarys(name, file):
            return False
        if any(is_or_is_in(name, package) for package in self._packages):
            return True
        return file.is_relative_to(self._repository) and not self._is_installed(file)

    def is_the_arms(self, file: Path) -> bool:
        """Tell whether a file lies where the arm's modules may come from."""
        return any(file.is_relative_to(root) for root in self._roots)

    def _is_installed(self, file: Path) -> bool:
        """Tell whether an installer put a file of the working tree there: a virtual environment may lie in it."""
        if INSTALLED.intersection(file.relative_to(self._repository).parts):
            return True
        return any(file.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _is_the_standard_librarys(name: str, file: Path) -> bool:
    """Tell whether a module is Python's own, though the project may have one of its name."""
    if name.partition(".")[0] not in sys.stdlib_module_names or INSTALLED.intersection(file.parts):
        return False
    return any(file.is_relative_to(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "platstdlib"))


def _file(module: Any) -> Path | None:
    """Give a module's file, without waking a module that is loaded when it is first used."""
    try:
        content = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    file = content.get("__file__")
    if file is None:
        spec = content.get("__spec__")
        file = spec.origin if getattr(spec, "has_location", False) else None
    return Path(file).resolve() if isinstance(file, str) and file else None
