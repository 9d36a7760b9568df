"""Hashing: SHA-256 of some kilobytes."""

import hashlib

REPEATS = 100
DATA = bytes(range(256)) * 16


def work() -> bytes:
    """Repeat the unit of work."""
    digest = b""
    for _ in range(REPEATS):
        digest = hashlib.sha256(DATA).digest()
    return digest
