"""Code that hides modules from the Python that runs it, as if their packages were not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CODE = """
import sys

class WithoutModules:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name in HIDDEN else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


for name in HIDDEN:
    sys.modules.pop(name, None)
sys.meta_path[:] = map(WithoutModules, sys.meta_path)
"""


def hiding(modules: Iterable[str]) -> str:
    """Return code that makes these modules impossible to import."""
    return f"HIDDEN = {sorted(modules)!r}\n{_CODE}"
