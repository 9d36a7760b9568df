"""Shared by all tests: pytester, hypothesis's profile, and a skip that fails if JARVISPERF_REQUIRE_ALL is set."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from light_pytest import (
    INNER_PLUGINS,
    LIGHT,
    NO_CONTROL,
    NO_REASONS,
    SHORT_PROFILES,
    WITHOUT_PICTURES,
    WITHOUT_WITNESS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("pytester",)

# xdist gives its workers a width; as on a machine's CI log, inner pytests have none unless a test sets it.
os.environ.pop("COLUMNS", None)

TESTS = Path(__file__).parent
RAG_TESTS = TESTS / "rag"
# The folders with the longest files. xdist hands out whole files in this order, and a long one at the end would leave
# the other processes without work.
FIRST = ("plugin", "e2e", "rag", "integration", "docs", "gate")

# The current speed of a shared machine says nothing about the code, so neither deadlines nor slow generation fail a
# test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)  # -m selects by this marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests in tests/rag as `rag`, because they need torch and chromadb; put the longest files first."""
    for item in items:
        if RAG_TESTS in item.path.parents:
            item.add_marker("rag")
    items.sort(key=_place_in_the_order)


def _place_in_the_order(item: pytest.Item) -> int:
    places = (place for place, folder in enumerate(FIRST) if TESTS / folder in item.path.parents)
    return next(places, len(FIRST))


@pytest.fixture(scope="session")
def require() -> Callable[[str], Any]:
    """Import a module that a test needs; if it is missing, skip, or fail if JARVISPERF_REQUIRE_ALL is set."""

    def load(module: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            if os.environ.get("JARVISPERF_REQUIRE_ALL"):
                pytest.fail(f"{module} is missing, and JARVISPERF_REQUIRE_ALL is set: {error}")
            pytest.skip(f"{module} is not installed")

    return load


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Let inner pytests run without slow plugins, controls, reasons and long profiles.

    A test that needs a plugin passes it with `-p`.
    """
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join((*LIGHT, *NO_CONTROL, *NO_REASONS, *SHORT_PROFILES)))
    monkeypatch.setenv("PYTHONPATH", INNER_PLUGINS, prepend=os.pathsep)
    monkeypatch.syspath_prepend(INNER_PLUGINS)  # for those in this process
    return pytester


@pytest.fixture
def with_control(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner pytests compare identical code too, as they do for users."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(LIGHT))


@pytest.fixture
def with_reasons(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner pytests look for the reasons of what they find, with profiles that take a moment."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join((*LIGHT, *NO_CONTROL, *SHORT_PROFILES)))


@pytest.fixture
def every_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner pytests load every installed plugin."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join((*WITHOUT_PICTURES, *WITHOUT_WITNESS)))


@pytest.fixture
def as_installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner pytests load every installed plugin and write every report format, as they do for users."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
