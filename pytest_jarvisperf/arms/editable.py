"""Editable installations that name folders of the working tree: in an arm they name the arm's own.

They put a folder on the module search path: a namespace package would have its parts from there and from the arm. Where
that does not do, setuptools writes a module that maps packages to folders and is read at each import
(https://setuptools.pypa.io/en/latest/userguide/development_mode.html).
"""

from __future__ import annotations

import sys
from pathlib import Path

FINDERS = "__editable___"


def move_editable_installations(repository: Path, root: Path) -> None:
    """Have this process find packages in an arm's checkout instead of the working tree, where that has the folder.

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
