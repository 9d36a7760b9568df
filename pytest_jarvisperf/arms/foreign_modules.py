"""Makes an arm import the project from its own checkout, and finds code that came from elsewhere anyway.

A module is judged by its file. A namespace package has no file and no code: wherever it has portions (`google`,
`opentelemetry`, an empty folder left by an uninstallation), only what was imported from them counts. Libraries that are
not modules (`ctypes`, `LD_LIBRARY_PATH`) are found where the kernel lists them.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.processes.kernel_view import mapped_code
from jarvisperf.gate.project.module_files import real_file
from jarvisperf.gate.project.packages import is_or_is_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FINDERS = "__editable___"  # prefix of setuptools' mapping modules
# Folders of the working tree with packages that an installer put there.
INSTALLED = frozenset({"site-packages", "dist-packages", "__pypackages__", "node_modules"})
# Libraries in these belong to no project, even if the repository is `/`.
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64")


def move_editable_installations(repository: Path, root: Path) -> None:
    """Redirect editable installations of the working tree to the arm's checkout.

    An editable installation puts a folder on the module search path; a namespace package would get portions from there
    and from the arm. If a folder is not enough, setuptools installs a module that maps packages to folders and is
    consulted at every import (https://setuptools.pypa.io/en/latest/userguide/development_mode.html). Folders that do
    not exist in the arm stay as they are.

    Args:
        repository: The top folder of the working tree.
        root: The top folder of the arm's checkout.
    """

    def moved(place: str) -> str:
        path = Path(place).resolve()
        if not Path(place).is_absolute() or not path.is_relative_to(repository):
            return place
        own = root / path.relative_to(repository)
        return str(own) if own.is_dir() else place

    sys.path[:] = map(moved, sys.path)
    for name, module in list(sys.modules.items()):
        if not name.startswith(FINDERS):
            continue
        packages: dict[str, str] = getattr(module, "MAPPING", {})
        packages.update({package: moved(place) for package, place in packages.items()})
        namespaces: dict[str, list[str]] = getattr(module, "NAMESPACES", {})
        namespaces.update({package: [moved(place) for place in places] for package, places in namespaces.items()})


class ForeignModules:
    """Inspects the imported modules and the loaded libraries: each once, and again if its file is another one.

    Args:
        roots: Folders that the arm's modules may come from.
        packages: Dotted names of the project's packages and modules, which must come from there.
        repository: The working tree, from which only packages installed in it may come.
    """

    def __init__(self, roots: Sequence[Path], packages: Iterable[str], repository: Path) -> None:
        self._roots = roots
        self._packages = tuple(packages)
        self._repository = repository
        self._checked: dict[str, str | None] = {}
        self._checked_libraries: set[str] = set()

    def find(self) -> dict[str, str]:
        """Return the files of foreign modules and libraries that were loaded since the last call, by name."""
        found = {}
        for name, module in list(sys.modules.items()):
            place = _place(module)
            if name == "__main__" or self._checked.get(name, "") == place:
                continue
            self._checked[name] = place
            if place is not None and self.is_foreign(name, file := real_file(place)):
                found[name] = str(file)
        libraries = mapped_code() - self._checked_libraries
        self._checked_libraries |= libraries
        for library in libraries - set(found.values()):  # those of modules are found already
            if self.is_foreign_library(Path(library)):
                found[Path(library).name] = library
        return found

    def is_foreign(self, name: str, file: Path) -> bool:
        """Return whether a module with this name and file belongs to the project but not to the arm's checkout."""
        # Most modules are somebody else's, and asking that first is cheap.
        if not any(is_or_is_in(name, package) for package in self._packages) and (
            not file.is_relative_to(self._repository) or self._is_installed(file)
        ):
            return False
        return not (self.is_the_arms(file) or _is_the_standard_librarys(name, file))

    def is_foreign_library(self, file: Path) -> bool:
        """Return whether a library, found by the dynamic linker, belongs to the working tree and not to the arm."""
        if self.is_the_arms(file) or not file.is_relative_to(self._repository) or self._is_installed(file):
            return False
        # An environment in the working tree has libraries of its own.
        others = (Path(folder).resolve() for folder in (sys.prefix, sys.base_prefix, *SYSTEM_FOLDERS))
        return not any(file.is_relative_to(one) for one in others if not self._repository.is_relative_to(one))

    def is_the_arms(self, file: Path) -> bool:
        """Return whether a file lies in a folder that the arm's modules may come from."""
        return any(file.is_relative_to(root) for root in self._roots)

    def _is_installed(self, file: Path) -> bool:
        """Return whether an installer put a file into the working tree, for example into a virtual environment."""
        if INSTALLED.intersection(file.relative_to(self._repository).parts):
            return True
        return any(file.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _is_the_standard_librarys(name: str, file: Path) -> bool:
    """Return whether a module belongs to the standard library, even if the project has one of the same name."""
    if name.partition(".")[0] not in sys.stdlib_module_names or INSTALLED.intersection(file.parts):
        return False
    return any(file.is_relative_to(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "platstdlib"))


def _place(module: Any) -> str | None:
    """Return a module's file as it says it, without triggering the import of a lazy module."""
    try:
        content = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    file = content.get("__file__")
    if file is None:
        spec = content.get("__spec__")
        file = spec.origin if getattr(spec, "has_location", False) else None
    return file if isinstance(file, str) and file else None
