"""Gives the package index a README whose links lead to the repository, and compiles the optional part if possible.

On the package index, a relative link would lead nowhere. The repository's address comes from the variables of GitHub
Actions, so a build elsewhere keeps the README as it is.

With a C compiler and Python's headers, a wheel contains the compiled part of the cache
(``jarvisperf/cache/memory/_reader.c``), and so does an editable installation. Without them, or with
``JARVISPERF_COMPILED=off``, the wheel fits every Python. Everything works without the compiled part.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
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


SOURCE = Path("jarvisperf/cache/memory/_reader.c")
_LONGEST_COMPILATION_SECONDS = 300


def compiled(root: Path, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Compile the optional part; return the module, or None if that is not wanted or not possible.

    Args:
        root: The top of the repository.
        folder: Where the module goes.
        environ: The environment variables.
    """
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "")
    include = Path(sysconfig.get_paths()["include"])
    if (
        environ.get("JARVISPERF_COMPILED") == "off"
        or sys.implementation.name != "cpython"
        or sysconfig.get_config_var("Py_GIL_DISABLED")  # the module relies on the GIL
        or not linker
        or shutil.which(linker[0]) is None
        or not (include / "Python.h").is_file()
    ):
        return None
    module = folder / f"_reader{sysconfig.get_config_var('EXT_SUFFIX')}"
    fresh = folder / f"_reader.{os.getpid()}.tmp"  # a module that is in use must not be overwritten
    command = [*linker, "-O2", "-fPIC", f"-I{include}", str(root / SOURCE), "-o", str(fresh)]
    try:
        done = subprocess.run(  # noqa: S603 - the compiler that built Python
            command, capture_output=True, text=True, timeout=_LONGEST_COMPILATION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        done = subprocess.CompletedProcess(command, 1, "", str(error))
    if done.returncode:
        sys.stderr.write(f"jarvisperf is built without its optional compiled part: {done.stderr.strip()}\n")
        fresh.unlink(missing_ok=True)
        return None
    fresh.replace(module)
    return module


class CompilerHook(BuildHookInterface):  # type: ignore[type-arg] # its parameter is hatchling's own business
    """Adds the compiled part to wheels, and puts it into the source folder of editable installations."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files are collected."""
        root = Path(self.root)
        if version == "editable":
            compiled(root, (root / SOURCE).parent, os.environ)
            return
        self._folder = tempfile.TemporaryDirectory()
        module = compiled(root, Path(self._folder.name), os.environ)
        if module is not None:
            build_data["force_include"][str(module)] = str(SOURCE.with_name(module.name))
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's signature
        """Remove what was compiled."""
        if version != "editable":
            self._folder.cleanup()
