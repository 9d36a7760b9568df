"""What caches of one namespace tell each other through Redis: what has changed, never the value."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["keys", "pattern", "tags", "all"]


class Message(msgspec.Struct, frozen=True, array_like=True):
    """One change.

    Attributes:
        sender: Which cache it comes from; a cache leaves its own messages alone.
        kind: What ``names`` are: keys, one pattern, tags; ``all``: everything has changed.
        version: Of the change.
        generation: Of the namespace, as the sender knows it.
        names: Of what has changed.
    """

    sender: bytes
    kind: Kind
    version: int
    generation: int
    names: tuple[str, ...] = ()


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    sender: bytes
    kind: Kind
    version: int
    generation: int
    names: tuple[bytes, ...]  # as bytes, for a key may hold lone surrogates


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def to_bytes(message: Message) -> bytes:
    """Make what is published."""
    names = tuple(name.encode("utf-8", "surrogatepass") for name in message.names)
    return _encoder.encode(_Wire(message.sender, message.kind, message.version, message.generation, names))


def from_bytes(blob: bytes) -> Message | None:
    """Read what was published; None: it is no message of this version, so anything may have changed."""
    try:
        wire = _decoder.decode(blob)
        names = tuple(name.decode("utf-8", "surrogatepass") for name in wire.names)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Message(wire.sender, wire.kind, wire.version, wire.generation, names)


def is_from(sender: bytes, blob: bytes) -> bool:
    """Whether a message comes from this sender, without a look at the rest; half of what is heard is one's own."""
    return blob.startswith(_START + sender)


# An array of five, of which the first is 16 bytes.
_START = b"\x95\xc4\x10"
