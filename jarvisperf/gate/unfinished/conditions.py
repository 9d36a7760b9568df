"""What must be equal for one comparison to continue another: files, options, machine, environment."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN_DIFFERENCES = 3
# Variables of a terminal or a session, which differ between two windows on the same desk.
SESSION_VARIABLES = frozenset(
    {
        "_", "COLUMNS", "COLORTERM", "DISPLAY", "INVOCATION_ID", "JOURNAL_STREAM", "LINES", "OLDPWD", "PWD", "SHLVL",
        "STY", "TERM", "TMUX", "TMUX_PANE", "WAYLAND_DISPLAY", "WINDOWID",
    }
)  # fmt: skip
SESSION_PREFIXES = ("DBUS_", "GPG_", "KITTY_", "SSH_", "TERM_", "VSCODE_", "WEZTERM_", "XDG_SESSION_")


class Conditions:
    """The conditions of a comparison. Of each, only a digest with a secret key is kept.

    Args:
        values: The conditions by name, as a reader would name them.
        key: A secret, so that nobody can guess the value of a variable from its digest.
    """

    def __init__(self, values: Mapping[str, object], key: bytes) -> None:
        self.digests = {name: _digest(repr(value), key) for name, value in values.items()}
        self.name = _digest(repr(sorted(self.digests.items())), key)

    def differences(self, others: Mapping[str, str]) -> str:
        """Name the conditions that another comparison did not share, in a few words; empty if it shared all."""
        names = [name for name in dict.fromkeys([*self.digests, *others]) if self.digests.get(name) != others.get(name)]
        more = [f"{len(names) - SHOWN_DIFFERENCES} more"] if len(names) > SHOWN_DIFFERENCES else []
        return ", ".join([*names[:SHOWN_DIFFERENCES], *more])


def environment_conditions(variables: Mapping[str, str], dropped: Iterable[str] = ()) -> dict[str, object]:
    """Return the environment variables that tests may react to, each as a condition of its own.

    Args:
        variables: The environment.
        dropped: Variables that the arms do not get; one that ends with ``_`` stands for all that start with it.
    """
    names = {*SESSION_VARIABLES, *(name for name in dropped if not name.endswith("_"))}
    prefixes = (*SESSION_PREFIXES, *(name for name in dropped if name.endswith("_")))
    return {
        f"environment variable {name}": value
        for name, value in variables.items()
        if name not in names and not name.startswith(prefixes)
    }


def machine_conditions(fingerprint: str) -> dict[str, object]:
    """Return the conditions of the machine and its Python.

    Args:
        fingerprint: What makes times comparable, see `runs.machine`.
    """
    return {
        "machine": (fingerprint, platform.node(), platform.system(), platform.release()),
        "Python": (sys.executable, sys.version, sys.flags),
    }


def installed_packages(folders: Iterable[str]) -> list[str]:
    """Return the distributions in folders with their versions, by the names of their metadata.

    Args:
        folders: Entries of the module search path; those that are not folders are left out.
    """
    found: set[str] = set()
    for folder in folders:
        if os.path.isdir(folder):  # noqa: PTH112
            found.update(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
    return sorted(found)


def _digest(text: str, key: bytes) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16, key=key).hexdigest()
