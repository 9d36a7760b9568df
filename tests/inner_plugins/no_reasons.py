"""A plugin for pytests inside of tests: lockstep does not look for the reasons of its verdicts.

After a change, lockstep counts calls and profiles in up to four further processes, which take about as long as two
launches and change no verdict. What they find is tested without this plugin: by `test_culprits.py`, by every test with
the fixture `with_reasons`, `every_plugin` or `as_installed`, and by the tutorials.
"""

from __future__ import annotations

import pytest

patched = pytest.MonkeyPatch()


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Leave the reasons out; arms need not import what looks for them."""
    if config.getoption("jarvis_against", None) or config.getoption("jarvis_compare", None):
        from pytest_jarvisperf.sessions.comparison import Comparison

        patched.setattr(Comparison, "_explain", lambda *_: None)


def pytest_unconfigure() -> None:
    patched.undo()
