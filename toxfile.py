"""Lets tox find the interpreters that pyenv installed: its shims only lead to the versions that are switched on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from tox.config.sets import ConfigSet
    from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001 - the names are tox's
    """Append pyenv's interpreters to those that tox was told to try (``--discover``)."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    state.conf.options.discover.extend(str(path) for path in sorted(root.glob("versions/3.*/bin/python3.1[0-9]")))
