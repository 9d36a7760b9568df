"""Package attributes that are imported on first use (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def attach(
    package: str, homes: Mapping[str, str], extras: Mapping[str, str] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Create ``__getattr__`` and ``__dir__`` for a package whose names are defined in other modules.

    Args:
        package: The package's ``__name__``.
        homes: The absolute name of the module that defines each public name.
        extras: The extra that a name needs, for each name that needs one. Without it, the name raises a
            `MissingExtraError`, which is an ImportError.

    Returns:
        The pair to assign to ``__getattr__, __dir__`` in the package's ``__init__``.
    """
    needed = extras or {}

    def load(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if name in needed:
            from jarvisperf.extras import require

            require(needed[name], f"{package}.{name}")
        value = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, value)  # so that later lookups do not come here
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return load, names
