"""What Redis holds for a key instead of a value: that it was deleted, or that somebody is computing it.

Layout::

    offset  bytes  field
         0      3  magic, the letters JPM
         3      1  T: a tombstone; L: a lease
         4      8  version of the deletion, big-endian (a lease keeps that of the tombstone it replaced)
        12     16  token of the lease; zeros in a tombstone

A tombstone refuses what was computed or written before the deletion and arrives after it; it expires after
``TOMBSTONE_SECONDS``. A lease is what Meta's memcache calls so (R. Nishtala et al., "Scaling Memcache at Facebook",
NSDI 2013): the first reader that misses gets it, a deletion voids it, and only its holder may fill the key.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

MAGIC: Final = b"JPM"
TOMBSTONE_SECONDS: Final = 120.0
"""Longer than a change can be on its way; a replay that is older than half of it only deletes."""

TOKEN_BYTES: Final = 16


class Lease(NamedTuple):
    """The right to fill one key.

    Attributes:
        token: In the mark that the key holds; empty: the key holds a value, to be replaced.
        version: Of that value.
        changes: How often a pattern or tag had been invalidated.
    """

    token: bytes
    version: int
    changes: int


class Refusal(NamedTuple):
    """Why there is no lease.

    Attributes:
        held_version: Of the value that is there; None: there is none, but somebody else has the right to fill the key.
    """

    held_version: int | None


def tombstone(version: int) -> bytes:
    """Make what stands for a deleted key."""
    return MAGIC + b"T" + version.to_bytes(8, "big") + bytes(TOKEN_BYTES)


def new_token() -> bytes:
    """Make the token of a new lease."""
    return secrets.token_bytes(TOKEN_BYTES)


def is_mark(blob: bytes) -> bool:
    """Whether this is a mark and no value."""
    return blob.startswith(MAGIC)
