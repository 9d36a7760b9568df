"""Marks that Redis holds for a key without a value: a tombstone if it was deleted, a lease if it is being computed.

Layout::

    offset  bytes  field
         0      3  magic, the letters JPM
         3      1  T: a tombstone; L: a lease
         4      8  version of the deletion, big-endian (a lease keeps that of the tombstone it replaced)
        12     16  token of the lease; zeros in a tombstone

A tombstone rejects values that were computed or written before the deletion and arrive after it; it expires after
``TOMBSTONE_SECONDS``. Leases follow Meta's memcache (R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013):
the first reader that misses gets one, a deletion voids it, and only its holder may fill the key.
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
    """

    token: bytes
    version: int
    changes: int


class Refusal(NamedTuple):
    """The reason why no lease was granted.

    Attributes:
        held_version: The version of the value that the key holds; None if another process holds the lease.
    """

    held_version: int | None


def tombstone(version: int) -> bytes:
    """Return the mark of a deleted key."""
    return MAGIC + b"T" + version.to_bytes(8, "big") + bytes(TOKEN_BYTES)


def new_token() -> bytes:
    """Return a token for a new lease."""
    return secrets.token_bytes(TOKEN_BYTES)


def is_mark(blob: bytes) -> bool:
    """Return whether this is a mark rather than a value."""
    return blob.startswith(MAGIC)
