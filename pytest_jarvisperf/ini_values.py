"""Reads the plugin's ini keys, both from ini files and from pytest's native TOML tables.

In an ini file every value is text. In the tables `[tool.pytest]` and `[pytest]` (pytest 9) it is a number, a boolean, a
list or text, and pytest accepts only the type that the key was declared with. Users may write either, so values that
pytest rejects are read from the file directly.
"""

from __future__ import annotations

import shlex
import warnings
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TRUE, FALSE = (
    frozenset({"1", "yes", "true", "on"}),
    frozenset({"0", "no", "false", "off"}),
)  # the same words as pytest's


def ini_value(config: pytest.Config, name: str) -> Any:
    """Return an ini key's value: as pytest reads it, otherwise as written in a native TOML table.

    Raises:
        ValueError: pytest rejects the value, and it is not in such a table.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pytest warns about a list where it expects text; here that is handled
            return config.getini(name)
    except (TypeError, ValueError, pytest.UsageError) as error:
        table = _native_table(config.inipath)
        if name in table:
            return table[name]
        raise ValueError(str(error)) from None


def _native_table(path: Path | None) -> dict[str, Any]:
    """Read pytest's native table in a configuration file; empty if it has none."""
    if path is None or path.suffix != ".toml":
        return {}
    import tomllib

    document = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = document.get("tool", {}) if path.name == "pyproject.toml" else document
    table: dict[str, Any] = tables.get("pytest", {})
    return table


def as_flag(value: object) -> bool:
    """Read a flag.

    Raises:
        ValueError: It is neither true nor false.
    """
    text = str(value).strip().lower()
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise ValueError(f"{value!r} is not allowed; give true or false")


def as_words(value: object) -> tuple[str, ...]:
    """Read a list of words; text is split as a shell would.

    Raises:
        ValueError: It is neither a list of texts nor text.
    """
    if isinstance(value, str):
        return tuple(shlex.split(value))
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ValueError(f"{value!r} is not allowed; give a list of texts")


def as_text(value: object) -> str:
    """Read text; a number is accepted as text, because a commit hash may consist of digits alone.

    Raises:
        ValueError: It is neither text nor a number.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is not allowed; give text in quotes")


def as_list_text(value: object) -> str:
    """Read text with commas, or a list of such texts.

    Raises:
        ValueError: It is neither.
    """
    return ",".join(as_words(value)) if isinstance(value, list) else as_text(value)


def as_command(value: object) -> str:
    """Read a shell command, or the list of its words.

    Raises:
        ValueError: It is neither.
    """
    return shlex.join(as_words(value)) if isinstance(value, list) else as_text(value)
