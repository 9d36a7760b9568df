"""What all tests share: pytester, and a skip that is a failure where everything is said to be there."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("pytester",)


@pytest.fixture(scope="session")
def require() -> Callable[[str], Any]:
    """Import a module that a test needs; where it is missing skip, or fail where JARVISPERF_REQUIRE_ALL is set."""

    def load(module: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            if os.environ.get("JARVISPERF_REQUIRE_ALL"):
                pytest.fail(f"{module} is missing, and JARVISPERF_REQUIRE_ALL is set: {error}")
            pytest.skip(f"{module} is not installed")

    return load
