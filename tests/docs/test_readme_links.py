"""The README's links lead somewhere: in the repository, and on the package index after a build by CI."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GITHUB = {"GITHUB_REPOSITORY": "ada/jarvisperf", "GITHUB_SHA": "c0ffee", "GITHUB_SERVER_URL": "https://github.com"}


def links(text: str) -> list[str]:
    return [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]


@pytest.fixture(scope="module")
def hook():
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "README.pt-BR.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_relative_link_leads_to_a_file(name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [target for target in links(text) if "://" not in target and not (ROOT / target).exists()] == []


def test_a_build_by_ci_makes_links_and_pictures_absolute(hook):
    built = hook.with_absolute_links(README, GITHUB)
    assert len(links(built)) == len(links(README)) > 15
    assert [target for target in links(built) if not target.startswith("https://github.com/ada/jarvisperf/")] == []
    assert "](https://github.com/ada/jarvisperf/blob/c0ffee/docs/tutorial.md)" in built
    assert "](https://github.com/ada/jarvisperf/raw/c0ffee/docs/images/regression.svg)" in built


def test_a_build_elsewhere_keeps_the_readme(hook):
    assert hook.with_absolute_links(README, {}) == README


def test_other_addresses_and_anchors_stay(hook):
    text = "[a](https://example.org) [b](#there) ![c](data:image/png;base64,xx)"
    assert hook.with_absolute_links(text, GITHUB) == text
