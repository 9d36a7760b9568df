"""A plugin for pytests inside of tests: lockstep runs no control, which would start another pair of processes.

A control on a busy machine may also distrust a sound run, with a probability that adds up over many tests.
What the control is for is tested without this plugin: `test_untrusted.py`, `test_lockstep_verdicts.py` and every test
with the fixture `with_control`, `every_plugin` or `as_installed`.
"""

from __future__ import annotations

import pytest

patched = pytest.MonkeyPatch()


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Let the control believe that it has run and that there is no time for more; arms need not import it."""
    if config.getoption("jarvis_against", None) or config.getoption("jarvis_compare", None):
        from jarvisperf.gate.lockstep.control import Control

        patched.setattr(Control, "has_run", property(lambda _: True))
        patched.setattr(Control, "affordable_share", lambda *_, **__: 0)


def pytest_unconfigure() -> None:
    patched.undo()
