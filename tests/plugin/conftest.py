"""What the tests of the plugin share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _as_outside_of_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run inner pytests as if this one were not an xdist worker: plugins look at these variables."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
