"""Tests the FastAPI service in `examples/`, and that the how-to shows the same files."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "fastapi-service"


def test_the_service_passes_its_own_tests(pytester: pytest.Pytester):
    for file in EXAMPLE.glob("*.py"):
        shutil.copy(file, pytester.path)
    result = pytester.runpytest_subprocess("-p", "no:asyncio")
    assert result.ret == 0
    result.assert_outcomes(passed=(EXAMPLE / "test_service.py").read_text(encoding="utf-8").count("def test_"))


@pytest.mark.parametrize("name", ["service.py", "test_service.py"])
def test_the_how_to_shows_the_file(name):
    page = (ROOT / "docs" / "how-to" / "fastapi-cache.md").read_text(encoding="utf-8")
    shown = re.search(rf'^( *)```python title="{name}"\n(.*?)^\1```$', page, flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert textwrap.dedent(shown[2]) == (EXAMPLE / name).read_text(encoding="utf-8")
