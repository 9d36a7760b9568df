"""What a value looks like between the codec and the envelope."""

from __future__ import annotations

from typing import Final, NamedTuple

MESSAGEPACK: Final = 1
"""Codec: MessagePack with the extensions of ``packing.py``."""
ARRAY: Final = 2
"""Codec: one numpy array, laid out as ``arrays.py`` says, with a check of its own."""
PICKLE: Final = 3
"""Codec: a pickle; only where a secret was given, and never without the secret's MAC."""


class Encoded(NamedTuple):
    """A value as bytes, in parts that are put together only once: where they are stored."""

    codec: int
    parts: tuple[bytes | memoryview, ...]

    @property
    def size_bytes(self) -> int:
        """The length of all parts."""
        return sum(map(len, self.parts))

    def payload(self) -> bytes:
        """Give the parts as one."""
        return b"".join(self.parts)


class Unreadable:
    """What decoding gives for bytes that no encoder of this version wrote."""

    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE: Final = Unreadable()
