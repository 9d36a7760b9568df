"""Checks a marker's keywords and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest


class Key(NamedTuple):
    """A keyword of a marker: a check of its value, and the allowed forms in words."""

    allows: Callable[[Any], bool]
    forms: str


def check_marker(test: str, marker: pytest.Mark, keys: Mapping[str, Key]) -> None:
    """Check one marker of a test.

    Raises:
        pytest.UsageError: It has a positional argument, an unknown key or a value that is not allowed; the message
            names the test, the key and the allowed forms.
    """
    where = f"{test}: {marker.name}"
    if marker.args:
        raise usage_error(f"{where} takes keywords only ({', '.join(keys)}), got {marker.args[0]!r}")
    for name, value in marker.kwargs.items():
        if name not in keys:
            raise usage_error(f"{where} has no key {name!r}; it takes {', '.join(keys)}")
        if not keys[name].allows(value):
            raise usage_error(f"{where}: {name}={value!r} is not allowed; give {keys[name].forms}")
