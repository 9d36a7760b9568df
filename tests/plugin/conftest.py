"""Shared by the plugin's tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _as_outside_of_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run inner pytests as if this one were not an xdist worker; plugins check these variables."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _fonts(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("matplotlib"))


@pytest.fixture(autouse=True)
def _one_list_of_fonts(monkeypatch: pytest.MonkeyPatch, _fonts: str) -> None:
    """Let inner pytests share matplotlib's font list, because pytester gives each a home folder without one."""
    monkeypatch.setenv("MPLCONFIGDIR", _fonts)
