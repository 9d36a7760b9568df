"""The environment variables that JarvisPerf reads, and their defaults."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TTL_SECONDS = 3600.0
NO_HOME = "this user has no home folder"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings from the environment.

    Attributes:
        redis_url: ``JARVISPERF_REDIS_URL``; None disables the Redis tier.
        cache_dir: ``JARVISPERF_CACHE_DIR``; the folder of the disk tier, by default the user's cache folder. None: it
            is not set, and the user has no home folder.
        default_ttl_seconds: ``JARVISPERF_DEFAULT_TTL``; seconds that a cached value lives, by default 3600.
        data_dir: ``JARVISPERF_DATA_DIR``; where a RAG without a path keeps its documents. None: as with `cache_dir`.
        namespace: ``JARVISPERF_NAMESPACE``; namespace of the default cache. None: one of the project's own.
        model: ``JARVISPERF_MODEL``; path or hub name of the embedding model; None: the first that is installed.
        caching: ``JARVISPERF_CACHING``; ``off`` disables all caches that are created while it is set. Default: ``on``.
        compiled: ``JARVISPERF_COMPILED``; ``off`` neither builds nor uses the cache's compiled part. Default: ``on``.
    """

    redis_url: str | None
    cache_dir: Path | None
    default_ttl_seconds: float
    data_dir: Path | None
    model: str | None
    namespace: str | None = None
    caching: bool = True
    compiled: bool = True


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from environment variables.

    Args:
        environ: The variables; None: those of this process. An empty value counts as absent.

    Raises:
        ValueError: A variable has an invalid value; the message names the variable and the value.
    """
    environ = os.environ if environ is None else environ
    return Settings(
        redis_url=environ.get("JARVISPERF_REDIS_URL") or None,
        cache_dir=_folder(environ, "JARVISPERF_CACHE_DIR", "cache"),
        default_ttl_seconds=_seconds(environ, "JARVISPERF_DEFAULT_TTL", DEFAULT_TTL_SECONDS),
        data_dir=_folder(environ, "JARVISPERF_DATA_DIR", "data"),
        model=environ.get("JARVISPERF_MODEL") or None,
        namespace=environ.get("JARVISPERF_NAMESPACE") or None,
        caching=is_caching_enabled(environ),
        compiled=may_use_compiled(environ),
    )


def may_use_compiled(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether compiled modules may be used: unless ``JARVISPERF_COMPILED`` is ``off``.

    Args:
        environ: The variables; None: those of this process. An empty value counts as absent.

    Raises:
        ValueError: The variable has another value than ``on`` or ``off``.
    """
    return _is_on("JARVISPERF_COMPILED", os.environ if environ is None else environ)


def is_caching_enabled(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether caches find and store anything: unless ``JARVISPERF_CACHING`` is ``off``.

    Args:
        environ: The variables; None: those of this process. An empty value counts as absent.

    Raises:
        ValueError: The variable has another value than ``on`` or ``off``.
    """
    return _is_on("JARVISPERF_CACHING", os.environ if environ is None else environ)


def _is_on(name: str, environ: Mapping[str, str]) -> bool:
    text = environ.get(name) or "on"
    if text not in {"on", "off"}:
        raise ValueError(f"{name} is {text!r}: give on or off")
    return text == "on"


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name} is {text!r}: give a number of seconds above 0")
    return seconds


def needed_folder(folder: Path | None, name: str) -> Path:
    """Return a folder of the settings.

    Args:
        folder: The folder; None: there is none.
        name: The variable that sets it.

    Raises:
        ValueError: There is none.
    """
    if folder is None:
        raise ValueError(f"{NO_HOME}: set {name}")
    return folder


def _folder(environ: Mapping[str, str], name: str, kind: str) -> Path | None:
    text = environ.get(name)
    if text:
        try:
            return Path(text).expanduser()
        except RuntimeError:  # it starts with ~
            raise ValueError(f"{name} is {text!r}, but {NO_HOME}: give an absolute path") from None
    import platformdirs  # here, so that importing the package does not load it

    base = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_data_path
    try:
        folder = base("jarvisperf")
    except RuntimeError:  # newer versions of platformdirs raise this; older ones return a folder named "~"
        return None
    return folder / kind if folder.is_absolute() else None
