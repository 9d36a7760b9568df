"""Finds where another machine can install this jarvisperf from, using the record of its installation (PEP 610)."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jarvisperf.cli.init.git import remote_url
from jarvisperf.runs.backends import without_password

PUBLIC = re.compile(r"https://[\w.:/~%+-]+")  # needs no key, and has no characters that are special in a shell


def own_source() -> str | None:
    """Return the requirement for pip, such as ``git+https://host/owner/jarvisperf``; None if it cannot be determined.

    It names the same version if jarvisperf was installed from a package index, and the same commit if it was installed
    from a repository. For a clone, it names the original repository without a commit, which may not exist there.
    """
    try:
        distribution = metadata.distribution("jarvisperf")
    except metadata.PackageNotFoundError:
        return None
    record = distribution.read_text("direct_url.json")
    if record is None:
        return f"jarvisperf=={distribution.version}"
    return source_of(json.loads(record))


def local_source() -> str | None:
    """Return what pip installs the same jarvisperf from on this machine; None if it cannot be determined."""
    try:
        record = metadata.distribution("jarvisperf").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    url = str(json.loads(record).get("url", "")) if record else ""
    return unquote(urlsplit(url).path) if url.startswith("file:") else own_source()


def source_of(record: dict[str, object]) -> str | None:
    """Return the requirement for pip that matches an installation's record; None if others cannot install from there.

    Args:
        record: The content of pip's ``direct_url.json``.
    """
    url = str(record.get("url", ""))
    version_control = record.get("vcs_info")
    if isinstance(version_control, dict):
        place = _public(url)
        return f"{version_control.get('vcs')}+{place}@{version_control.get('commit_id')}" if place else None
    if url.startswith("file:"):
        place = _public(remote_url(Path(unquote(urlsplit(url).path))))
        return f"git+{place}" if place else None
    return _public(url)


def _public(url: str) -> str | None:
    bare = without_password(url)
    return bare if PUBLIC.fullmatch(bare) else None
