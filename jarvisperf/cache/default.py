"""The default cache of a process, configured by environment variables."""

from __future__ import annotations

import logging
import os
import threading
from typing import Final

from jarvisperf.cache.keys.function_identity import project_namespace
from jarvisperf.cache.smart import SmartCache
from jarvisperf.forks import at_fork
from jarvisperf.settings import NO_HOME, read_settings

logger = logging.getLogger(__name__)


class _Shared:
    """The cache, and the process that created it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.cache: SmartCache | None = None
        self.pid = 0
        self.inherited: list[SmartCache] = []

    def reset_lock(self) -> None:
        self.lock = threading.RLock()


_shared: Final = _Shared()
at_fork(after_in_child=_shared.reset_lock)  # another thread may have held it during the fork


def get_smart_cache() -> SmartCache:
    """Return the process's default cache, created on the first call and again on the first call after a fork.

    It is configured by ``JARVISPERF_REDIS_URL`` (default: no Redis tier), ``JARVISPERF_CACHE_DIR`` (default: the user's
    cache folder), ``JARVISPERF_DEFAULT_TTL`` (default: 3600 seconds) and ``JARVISPERF_NAMESPACE`` (default: one for the
    project's folder, so that projects do not share entries).

    Raises:
        ValueError: A variable has an invalid value.
    """
    cache = _shared.cache
    if cache is not None and _shared.pid == os.getpid():
        return cache
    with _shared.lock:
        if _shared.cache is None or _shared.pid != os.getpid():
            if _shared.cache is not None:
                # Closing the parent's database here would harm the parent, so its cache is only set aside.
                _shared.inherited.append(_shared.cache)
            settings = read_settings()
            if settings.cache_dir is None:
                logger.warning("no disk cache tier, because %s: set JARVISPERF_CACHE_DIR", NO_HOME)
            _shared.cache = SmartCache(
                settings.redis_url,
                settings.cache_dir,
                settings.default_ttl_seconds,
                namespace=settings.namespace or project_namespace(),
            )
            _shared.pid = os.getpid()
        return _shared.cache


def reset_smart_cache() -> None:
    """Close the process's default cache; the next :func:`get_smart_cache` creates a new one. Meant for tests."""
    with _shared.lock:
        if _shared.cache is not None and _shared.pid == os.getpid():
            _shared.cache.close()
            _shared.cache = None
