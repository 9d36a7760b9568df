"""Gives the package index a README whose links lead to the repository: there, a relative link would lead nowhere.

The address comes from the variables of GitHub Actions, so a build elsewhere keeps the README as it is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

if TYPE_CHECKING:
    from collections.abc import Mapping

LINK = re.compile(r"(!?\[[^\[\]]*\])\((?![a-z]+:|#)([^)\s]+)\)")


def with_absolute_links(text: str, environ: Mapping[str, str]) -> str:
    """Return Markdown whose relative links lead to the revision that is built.

    Args:
        text: Markdown with links relative to the top of the repository.
        environ: The environment variables; without ``GITHUB_REPOSITORY`` the text stays as it is.
    """
    name = environ.get("GITHUB_REPOSITORY")
    if not name:
        return text
    repository = f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
    revision = environ.get("GITHUB_SHA", "HEAD")

    def link(match: re.Match[str]) -> str:
        kind = "raw" if match[1].startswith("!") else "blob"  # a picture must be the file itself, not the page about it
        return f"{match[1]}({repository}/{kind}/{revision}/{match[2]})"

    return LINK.sub(link, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the long description of the package."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme`, which pyproject.toml declares as dynamic."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": with_absolute_links(text, os.environ)}
