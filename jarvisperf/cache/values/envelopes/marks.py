"""Marks that Redis holds for a key without a value: it was deleted, is being computed, or its value was rejected.

Layout::

    offset  bytes  field
         0      3  magic, the letters JPM
         3      1  T: a tombstone; L: a lease; R: a rejection
         4      8  version of the deletion or of the rejected write, big-endian; a lease keeps that of the mark
                   that it replaced
        12     16  token of the lease; zeros in the others

A tombstone rejects values that were computed or written before the deletion and arrive after it; it expires after
``TOMBSTONE_SECONDS``. Leases follow Meta's memcache (R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013):
the first reader that misses gets one, a deletion voids it, and only its holder may fill the key.

A rejection says that the key has a value of exactly this version, which Redis does not hold but a tier below may.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

MAGIC: Final = b"JPM"
TOMBSTONE_SECONDS: Final = 120.0
"""Longer than a change can be in transit; a replayed change older than half of this only deletes."""

TOKEN_BYTES: Final = 16


class Lease(NamedTuple):
    """The right to fill one key.

    Attributes:
        token: The token in the mark that the key holds; empty if the key holds a value to replace.
        version: The version of that value.
        changes: The number of pattern and tag invalidations before the lease was granted.
        refresh_token: The token by which a lease for replacing a value is renewed; empty for others.
    """

    token: bytes
    version: int
    changes: int
    refresh_token: bytes = b""


class Refusal(NamedTuple):
    """The reason why no lease was granted.

    Attributes:
        held_version: The version of the value that the key holds; None if another process holds the lease.
    """

    held_version: int | None


def tombstone(version: int) -> bytes:
    """Return the mark of a deleted key."""
    return MAGIC + b"T" + version.to_bytes(8, "big") + bytes(TOKEN_BYTES)


def rejection(version: int) -> bytes:
    """Return the mark of a key whose write Redis rejected."""
    return MAGIC + b"R" + version.to_bytes(8, "big") + bytes(TOKEN_BYTES)


def rejected_version(mark: bytes) -> int | None:
    """Return the version of the write that Redis rejected; None for other marks."""
    return int.from_bytes(mark[4:12], "big") if mark.startswith(MAGIC + b"R") else None


def new_token() -> bytes:
    """Return a token for a new lease."""
    return secrets.token_bytes(TOKEN_BYTES)


def is_mark(blob: bytes) -> bool:
    """Return whether this is a mark rather than a value."""
    return blob.startswith(MAGIC)
