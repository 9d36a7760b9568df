"""The documentation site loads nothing from other hosts."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SITE = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), yaml.BaseLoader)


def test_no_font_script_or_style_comes_from_another_host():
    assert SITE["theme"]["font"] == "false"
    files = [*SITE["extra_css"], *SITE.get("extra_javascript", [])]
    assert [name for name in files if "://" in name] == []


def test_no_page_draws_with_mermaid_which_the_theme_would_load_from_another_host():
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
    assert [name for name, text in pages.items() if "```mermaid" in text] == []
