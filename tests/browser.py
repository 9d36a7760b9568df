"""A real Chromium for tests; if none is installed, they are skipped, or fail if JARVISPERF_REQUIRE_ALL is set."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Root cannot use the sandbox, and the browser must not make network requests of its own.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def axe_complaints(page: Any) -> list[str]:
    """Return what axe finds on a page: the rule and the elements that break it; fails where axe is missing."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the system's Chromium and return playwright's browser object."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        reason = "Chromium or the package playwright is missing"
        if os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail(f"{reason}, and JARVISPERF_REQUIRE_ALL is set")
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
