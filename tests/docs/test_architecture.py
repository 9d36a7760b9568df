"""Tests that the architecture page says of each package what it imports, and names files that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE))


def folder_of(package: str) -> Path:
    return ROOT / package if package == "pytest_jarvisperf" else ROOT / "jarvisperf" / package


def packages_imported_by(package: str) -> set[str]:
    """Return the packages of the table that the files of one import, for types or at first use as well."""
    modules: set[str] = set()
    for file in folder_of(package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module)
            elif isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
    return {parts[1] for name in modules if (parts := name.split("."))[0] == "jarvisperf" and len(parts) > 1} & set(
        ROWS
    )


def test_the_table_has_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "jarvisperf").glob("*/__init__.py")}
    assert set(ROWS) == packages | {"pytest_jarvisperf"}


@pytest.mark.parametrize("package", ROWS)
def test_the_table_says_what_a_package_imports(package: str) -> None:
    said = {name.strip() for name in ROWS[package].split(",")} - {""}
    assert said == packages_imported_by(package) - {package}


@pytest.mark.parametrize("package", ROWS)
def test_a_package_imports_only_those_below_it_in_the_table(package: str) -> None:
    below = list(ROWS)[list(ROWS).index(package) + 1 :]
    assert packages_imported_by(package) - {package} <= set(below)


def test_every_file_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    files = [path.as_posix() for top in ("jarvisperf", "pytest_jarvisperf") for path in (ROOT / top).rglob("*.py")]
    missing = {name for name in names if not any(file.endswith(f"/{name}") for file in files)}
    assert not missing
