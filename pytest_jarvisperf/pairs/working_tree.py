"""Describes the working tree as an environment of workers, which both sides of a pair use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.prepare import inherited_environment
from jarvisperf.gate.processes.workers import ArmPlace

if TYPE_CHECKING:
    import pytest


def working_tree(config: pytest.Config, name: str) -> ArmPlace:
    """Return the environment: pytest's root folder, with the module search path of this process.

    Args:
        config: pytest's config.
        name: The worker's name in messages.
    """
    here = str(Path.cwd())
    paths = tuple(dict.fromkeys(entry or here for entry in sys.path))
    return ArmPlace(name=name, roots=(config.rootpath,), cwd=config.rootpath, paths=paths, env=inherited_environment())
