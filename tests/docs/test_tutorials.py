"""The tutorials work as written: the slow change turns red and names its function, the repaired one does not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from capture import BLOCK, DOCS, PAGES, captured
from light_pytest import LIGHT, NO_CONTROL, SHORT_PROFILES, path_with_inner_plugins

QUICK = (
    *("--jarvis-budget=0.3", "--jarvis-launches=4", "-p no:asyncio"),
    *LIGHT,
    *NO_CONTROL,
    *SHORT_PROFILES,
)


def steps(page: str) -> list[tuple[str, str]]:
    """Return what a page writes and runs: files with their contents, and commands."""
    found = []
    for block in BLOCK.finditer(page):
        title = re.search(r'title="([^"]+)"', block["words"])
        if title:
            found.append((title[1], block["body"]))
        found += [("$", command) for command in re.findall(r"^\$ (.*)$", block["body"], flags=re.MULTILINE)]
    return found


@pytest.mark.skipif(shutil.which("bash") is None, reason="the tutorial's commands are those of a POSIX shell")
def test_the_tutorial_ends_with_the_guilty_function_named_and_then_repaired(tmp_path: Path):
    folder = tmp_path / "shop"
    folder.mkdir()
    quickly = {"PYTEST_ADDOPTS": " ".join(QUICK), "PYTHONPATH": path_with_inner_plugins()}
    page = captured((DOCS / "tutorial.md").read_text(encoding="utf-8"), folder, quickly)
    change, _, repair = page.partition("## 4. A change")[2].partition("## 6. ")
    assert re.search(r"FAILED \S*::test_total", change)
    assert re.search(r"FAILED \S*::test_most_expensive", change)
    assert "regressed" in change
    assert re.search(r"to_cents\W+\(?shop/prices\.py:\d+", change)
    assert not re.search(r"FAILED \S*::test_number_of_items", change)
    assert "FAILED" not in repair


def test_the_tutorials_in_both_languages_have_the_same_steps():
    english, *others = (steps((DOCS / page).read_text(encoding="utf-8")) for page in PAGES)
    assert len(english) > 15
    assert others == [english]


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_tutorial_has_its_output(name: str):
    page = (DOCS / name).read_text(encoding="utf-8")
    for block in BLOCK.finditer(page):
        if block["words"] == "console" and not block["free"]:
            assert any(not line.startswith("$") for line in block["body"].splitlines()), block["body"]
