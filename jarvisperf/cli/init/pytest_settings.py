"""Reads how a project configures pytest, from the file that pytest itself would take, and adds a setting to it."""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jarvisperf.cli.common import PYTEST_FILES
from jarvisperf.cli.init.changes import ProposedChange, changed, read_text

# These configure pytest even without a section.
WITHOUT_SECTION = frozenset({"pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"})
SETTING, DEFAULT_THRESHOLD = "jarvis_threshold", "5%"


@dataclass(frozen=True, slots=True)
class PytestSettings:
    """How a project configures pytest.

    Attributes:
        file: The file; None if there is none.
        section: The header of its section, such as ``[tool.pytest.ini_options]``; empty if it needs none.
        values: The settings.
    """

    file: str | None = None
    section: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def testpaths(self) -> tuple[str, ...]:
        """The patterns of the folders to collect from."""
        return words(self.values.get("testpaths"))

    @property
    def python_files(self) -> tuple[str, ...]:
        """The patterns of the files to collect from; empty: pytest's own."""
        return words(self.values.get("python_files"))


def read_pytest_settings(root: Path) -> PytestSettings:
    """Read the settings from the first readable file that configures pytest."""
    for name in PYTEST_FILES:
        path = root / name
        if not path.is_file():
            continue
        try:
            found = _toml_section(path) if name.endswith(".toml") else _ini_section(path)
        except (OSError, ValueError, configparser.Error):  # pytest reports it
            continue
        if found is not None:
            return PytestSettings(name, *found)
        if name in WITHOUT_SECTION:
            return PytestSettings(name)
    return PytestSettings()


def with_threshold(root: Path, settings: PytestSettings) -> list[ProposedChange]:
    """Propose the threshold as a setting of the project; nothing if it is set or if no section exists."""
    if settings.file is None or not settings.section or SETTING in settings.values:
        return []
    path = Path(settings.file)
    toml = path.suffix == ".toml"
    comment = "# How much slower a benchmark may get before its test fails."
    value = f'"{DEFAULT_THRESHOLD}"' if toml else DEFAULT_THRESHOLD
    text = read_text(root / path)
    header = re.search(rf"^[ \t]*{re.escape(settings.section)}[ \t]*(?:#.*)?(\r?\n)", text, flags=re.MULTILINE)
    if header is None:  # written in another way, such as with quotes or dotted keys
        return []
    end, line_end = header.end(), header[1]
    added = f"{comment}{line_end}{SETTING} = {value}{line_end}"
    return changed(root, path, text[:end] + added + text[end:])


def words(value: object) -> tuple[str, ...]:
    """Return the words of a setting, which is a text or a list of texts."""
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _toml_section(path: Path) -> tuple[str, dict[str, Any]] | None:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    if path.name != "pyproject.toml":
        found, header = data.get("pytest"), "[pytest]"
    else:
        tool = data.get("tool", {})
        found, header = (tool.get("pytest") if isinstance(tool, dict) else None), "[tool.pytest]"
        if isinstance(found, dict) and "ini_options" in found:
            found, header = found["ini_options"], "[tool.pytest.ini_options]"
    return (header, found) if isinstance(found, dict) else None


def _ini_section(path: Path) -> tuple[str, dict[str, Any]] | None:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(path.read_text(encoding="utf-8"))
    name = "tool:pytest" if path.name == "setup.cfg" else "pytest"
    return (f"[{name}]", dict(parser[name])) if parser.has_section(name) else None
