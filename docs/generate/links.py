"""Links between `docs/` and the rest of the repository, as the site needs them.

Files link to each other by their paths in the repository, so that the links work on GitHub. Some files outside `docs/`
are pages of the site too (`OUTSIDE`). A link to anything else leads to the repository if the build knows its address,
and is plain text otherwise.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OUTSIDE = {
    "README.md": "index.md",
    "README.pt-BR.md": "pt/index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "benchmarks/eviction/RESULTS.md": "lab/eviction.md",
    "benchmarks/peers/results-cache.md": "lab/cache-peers.md",
    "benchmarks/peers/results-rag.md": "lab/rag-peers.md",
    "benchmarks/runs_lab/results.md": "lab/runs.md",
    "reports/report.md": "lab/own-suite.md",
    "reports/plots/before_after.png": "images/before_after.png",
    "benchmarks/gate_lab/evidence/2026-11-25-alarms.svg": "images/alarms.svg",
}
CODE = r"^```.*?^```|`[^`\n]+`"  # is not searched for links
LINK = re.compile(rf"{CODE}|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)", re.DOTALL | re.MULTILINE)


def repository() -> str:
    """Return the repository's address, from the variables of GitHub Actions; empty if unknown."""
    name = os.environ.get("GITHUB_REPOSITORY", "")
    return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else ""


def page_of(path: str) -> str | None:
    """Return the page of the site that shows a file of the repository; None if none does."""
    if path in OUTSIDE:
        return OUTSIDE[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def with_site_links(text: str, source: str, page: str) -> str:
    """Rewrite the links of a file for the page that shows it.

    Args:
        text: Markdown.
        source: The file's path in the repository.
        page: The page's path in the site.
    """

    def link(match: re.Match[str]) -> str:
        if match[0].startswith(
            "`"
        ):  # GitHub wants \| in the code of a table's cell, Python-Markdown shows both characters
            return match[0] if match[0].startswith("```") else match[0].replace("\\|", "|")
        picture, label, target, anchor = match[1], match[2], match[3], match[4] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        shown = page_of(path)
        generated = path.startswith("docs/reference/")
        if shown and (generated or (ROOT / path).exists()):
            return f"{picture}[{label}]({posixpath.relpath(shown, posixpath.dirname(page) or '.')}{anchor})"
        if not (ROOT / path).exists():
            raise ValueError(f"{source}: the link to {target} leads nowhere")
        return f"[{label}]({repository()}/blob/HEAD/{path}{anchor})" if repository() else label

    return LINK.sub(link, text)


def as_site_page(source: str) -> str:
    """Return a file from outside `docs/` as a page of the site."""
    return with_site_links((ROOT / source).read_text(encoding="utf-8"), source, OUTSIDE[source])


def on_config(config: Any) -> Any:
    """Tell mkdocs where the repository is."""
    if repository():
        config["repo_url"] = repository()
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page in `docs/` that leave that folder."""
    path = page.file.src_uri
    source = f"docs/{path}"
    return with_site_links(markdown, source, path) if (ROOT / source).exists() else markdown


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Name the language of the Portuguese pages, which screen readers need."""
    if page.file.src_uri.startswith("pt/"):
        return output.replace('<html lang="en"', '<html lang="pt-BR"', 1)
    return output
