"""How the results of a decorated function are stored: the arguments of ``cached`` and ``cached_many``, checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.cache.engine.loads.lifetime import fixed, keeping
from jarvisperf.cache.engine.loads.loading import LoadOptions
from jarvisperf.cache.engine.model import Life
from jarvisperf.cache.functions.stored_errors import StoredErrors
from jarvisperf.cache.keys.names import checked_tags
from jarvisperf.checks import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta
    from typing import Any, Self

    from jarvisperf.cache.engine.loads.lifetime import Ttl
    from jarvisperf.cache.smart import SmartCache


class StorageOptions(NamedTuple):
    """How results are stored.

    Attributes:
        ttl: The time to live, as far as it does not depend on the result; None: the cache's default.
        tags: The tags, or a function of the call's arguments that returns them.
        errors: The exceptions that are stored.
        options: How a result is loaded; its life is completed at each call.
    """

    ttl: float | timedelta | None
    tags: tuple[str, ...] | Callable[..., Iterable[str]]
    errors: StoredErrors
    options: LoadOptions

    @classmethod
    def checked(
        cls,
        ttl: Ttl | None,
        tags: Iterable[str] | Callable[..., Iterable[str]] | None,
        jitter: float,
        cache_if: Callable[[Any], object] | None,
        cache_errors: Mapping[type[Exception], float | timedelta] | None = None,
        stale_ttl: float | timedelta = 0,
        refresh_ahead: bool = False,
        soft_seconds: float = 0,
        hard_seconds: float = math.inf,
    ) -> Self:
        """Return the options if a caller's arguments are valid.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: A number is out of range.
        """
        if not callable(tags):
            tags = checked_tags(tags or ())
        lives = fixed(ttl)
        if lives is not None:
            seconds("ttl", lives)
        errors = StoredErrors({} if cache_errors is None else cache_errors)
        options = LoadOptions.checked(
            Life(0.0), stale_ttl, refresh_ahead, soft_seconds, hard_seconds,
            keeping=errors.keeping(keeping(ttl, jitter, cache_if)),
        )  # fmt: skip
        return cls(lives, tags, errors, options)

    def for_call(self, cache: SmartCache, source: str, args: Any, kwargs: Any) -> LoadOptions:
        """Return how the result of a call is loaded.

        Args:
            cache: The cache.
            source: The name of the function.
            args: The positional arguments of the call.
            kwargs: Its other arguments.
        """
        tags = self.tags(*args, **kwargs) if callable(self.tags) else self.tags
        life = cache.life(self.ttl, tags)._replace(stale_seconds=self.options.life.stale_seconds)
        return self.options._replace(life=life, source=source)
