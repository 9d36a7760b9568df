"""Tells a value that Redis rejects from a Redis that is down, so that one value never takes all others away.

A server may answer that a value is too large, that it is full, or that the user may not access a key. Others end the
connection instead, or the transfer takes longer than its deadline. In each case the server is asked to do something
small for the same key. If that works, only the value is rejected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import redis

from jarvisperf.cache.outage.store import RejectedError, Write
from jarvisperf.cache.redis_tier.commands import is_full
from jarvisperf.cache.redis_tier.connection.link import SCAN_BATCH
from jarvisperf.cache.redis_tier.connection.reply_reader import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_T = TypeVar("_T")

FAILURES: Final[tuple[type[Exception], ...]] = (redis.RedisError, OSError)
"""What a server that is down raises; OSError: socket errors that the client does not wrap."""
# Neither servers nor the proxies in front of them limit smaller values.
_SUSPICIOUS_BYTES: Final = 2**16
_MOST_BYTES_TOGETHER: Final = 2**22
# "access one of the keys", "access a key": each version and each script words it differently.
_OF_A_KEY: Final = re.compile(r"access .*\bkeys?\b")


class Rejections:
    """Runs exchanges that read or store values, and finds out which values Redis rejects.

    Args:
        most_bytes: Larger values are rejected without asking the server.
        check: Asks the server something small.
        mark: Replaces the content of keys with the mark of a rejected write; the flag protects newer content.
    """

    def __init__(
        self, most_bytes: int, check: Callable[[], object], mark: Callable[[Sequence[Write], bool], object]
    ) -> None:
        self._most_bytes = most_bytes
        self._check = check
        self._mark = mark

    def asked(self, key: str, exchange: Callable[[], _T]) -> _T:
        """Return the outcome of an exchange about one key.

        Raises:
            RejectedError: The exchange fails, but the server works.
        """
        try:
            return exchange()
        except redis.ResponseError as error:
            self._ask_again(error, self._check)
            raise RejectedError([key], error) from error

    def unread(self, key: str, error: Exception, discard: Callable[[], object]) -> RejectedError:
        """Return the error for a value that could not be read, if the server works; raise the failure otherwise.

        Args:
            key: The key.
            error: The failure.
            discard: Removes the value, which would be too large or too slow the next time as well.
        """
        self._ask_again(error, discard if isinstance(error, INTERRUPTED) else self._check)
        return RejectedError([key], error)

    def stored(self, write: Write, exchange: Callable[[], _T], *, only_older: bool) -> _T:
        """Return the outcome of an exchange that stores one value.

        Args:
            write: What is stored.
            exchange: The exchange.
            only_older: If the value is rejected, leave newer content alone.

        Raises:
            RejectedError: The value is rejected, and the key now holds the mark of a rejected write, if anything.
        """
        if len(write.blob) > self._most_bytes:
            raise self._rejected([write], self._too_large(write), only_older)
        try:
            return exchange()
        except FAILURES as error:
            if not _may_concern(error, [write]):
                raise
            raise self._rejected([write], error, only_older) from error

    def stored_all(
        self, writes: Sequence[Write], exchange: Callable[[Sequence[Write]], object], *, only_older: bool
    ) -> None:
        """Store several values in batches.

        Raises:
            RejectedError: Some are rejected, as in ``stored``; all others are stored.
        """
        rejected: list[RejectedError] = []
        fitting = []
        for write in writes:
            if len(write.blob) > self._most_bytes:
                rejected.append(self._rejected([write], self._too_large(write), only_older))
            else:
                fitting.append(write)
        for batch in _batches(fitting):
            rejected += self._rejected_of(batch, exchange, only_older)
        if rejected:
            keys = [key for error in rejected for key in error.keys]
            raise RejectedError(keys, rejected[0].reason, stored=len(writes) - len(keys))

    def _rejected_of(
        self, batch: Sequence[Write], exchange: Callable[[Sequence[Write]], object], only_older: bool
    ) -> list[RejectedError]:
        try:
            exchange(batch)
        except FAILURES as error:
            if not _may_concern(error, batch):
                raise
            if len(batch) == 1 or is_full(error):
                return [self._rejected(batch, error, only_older)]
            self._ask_again(error, self._check)
            middle = len(batch) // 2
            halves = batch[:middle], batch[middle:]
            return [one for half in halves for one in self._rejected_of(half, exchange, only_older)]
        return []

    def _rejected(self, writes: Sequence[Write], reason: Exception, only_older: bool) -> RejectedError:
        self._ask_again(reason, lambda: self._mark(writes, only_older))
        return RejectedError([write.key for write in writes], reason)

    def _too_large(self, write: Write) -> Exception:
        return ValueError(f"{len(write.blob):,} bytes are more than max_value_bytes ({self._most_bytes:,})")

    @staticmethod
    def _ask_again(reason: Exception, ask: Callable[[], object]) -> None:
        """Ask the server something small; raise the first failure again if that fails as well."""
        try:
            ask()
        except FAILURES as error:
            # A user without access to a key cannot have written it, either.
            if not (is_forbidden(reason) and is_forbidden(error)):
                raise reason from error


def _may_concern(error: Exception, writes: Sequence[Write]) -> bool:
    """Return whether values, rather than the server, may be the reason for a failure."""
    return isinstance(error, redis.ResponseError) or any(len(write.blob) >= _SUSPICIOUS_BYTES for write in writes)


def is_forbidden(error: Exception) -> bool:
    """Return whether the user may not access a key; others may be accessible."""
    return isinstance(error, redis.ResponseError) and _OF_A_KEY.search(str(error)) is not None


def _batches(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Split writes into batches, so that no exchange takes long and no copy of all values is made."""
    batch: list[Write] = []
    size_bytes = 0
    for write in writes:
        if batch and (len(batch) == SCAN_BATCH or size_bytes + len(write.blob) > _MOST_BYTES_TOGETHER):
            yield batch
            batch, size_bytes = [], 0
        batch.append(write)
        size_bytes += len(write.blob)
    if batch:
        yield batch
