"""The extras: which packages they bring, and the one line that names the command to install a missing one."""

from __future__ import annotations

import importlib.util
from typing import Final

NEEDS: Final = {
    "cache": ("redis", "hiredis", "diskcache", "platformdirs"),
    "history": ("numpy", "duckdb"),
    "memory": ("memray",),
    "otel": ("opentelemetry",),
    "plots": ("matplotlib",),
    # What importing retrieval takes. Chroma, models and readers are looked for when they are used.
    "rag": ("redis", "hiredis", "diskcache", "platformdirs", "numpy"),
    "store": ("fsspec",),
    "zstd": ("zstandard",),
}
"""The modules that code behind each extra cannot do without."""


class MissingExtraError(ImportError):
    """A package from an extra is not installed; the message is one line with the command that installs it."""


def is_installed(module: str) -> bool:
    """Return whether a module can be found; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # an import hook forbids it, or a stand-in for it has no spec
        return False


def not_installed(package: str, extra: str) -> str:
    """Return the line that says that a package is missing, and how to install it."""
    return f'{package} is not installed: pip install "jarvisperf[{extra}]"'


def lacking(extra: str) -> str:
    """Return the line that says what an extra lacks; empty if everything is installed."""
    missing = [module for module in NEEDS[extra] if not is_installed(module)]
    return not_installed(missing[0], extra) if missing else ""


def require(extra: str, purpose: str) -> None:
    """Make sure that an extra is installed.

    Args:
        extra: A key of `NEEDS`.
        purpose: What needs it, which starts the message.

    Raises:
        MissingExtraError: It is not.
    """
    line = lacking(extra)
    if line:
        raise MissingExtraError(f"{purpose} needs the extra {extra!r}: {line}")
