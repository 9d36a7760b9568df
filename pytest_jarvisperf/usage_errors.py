"""The error for what a user, an ini file or a marker asks for and cannot have."""

from __future__ import annotations

import pytest


def usage_error(text: str) -> pytest.UsageError:
    """Return the error that ends the run with exit status 4; pytest prints its message on one line.

    Args:
        text: What was wrong, which value, and what to do. What would act on a terminal or log is escaped.
    """
    from jarvisperf.escaping import visible  # idle sessions load this module, but not its patterns

    return pytest.UsageError(visible(text))
