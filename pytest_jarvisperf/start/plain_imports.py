"""Imports this project's modules without pytest's assertion rewriting, which only test modules need.

pytest marks every package of a distribution that brings a plugin for rewriting. On a fresh machine, and wherever Python
writes no bytecode, it would parse and compile each of our modules in every session, although pip has compiled them.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

PACKAGES = frozenset({"jarvisperf", "pytest_jarvisperf"})
REWRITTEN = "jarvisperf.cache.testing"  # the contract that users subclass: its assertions are part of their tests


class PlainImports:
    """Finds this project's modules as Python would without pytest; an entry for ``sys.meta_path``."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of one of our modules; None for any other, and where it is found in some other way."""
        if name.partition(".")[0] not in PACKAGES or name.startswith(REWRITTEN):
            return None
        return PathFinder.find_spec(name, path, target)


def install() -> None:
    """Look for our modules here before pytest's hook does; calling this twice has no further effect."""
    sys.meta_path[:] = [PlainImports(), *(finder for finder in sys.meta_path if not isinstance(finder, PlainImports))]
