"""Invalidation messages between the caches of a namespace: what has changed, never the value."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["keys", "pattern", "tags", "all"]


class Message(msgspec.Struct, frozen=True, array_like=True):
    """One change.

    Attributes:
        sender: The cache that sent it; a cache ignores its own messages.
        kind: The content of ``names``: keys, one pattern, or tags; ``all`` means that everything has changed.
        version: The version of the change.
        generation: The generation of the namespace as known to the sender.
        names: The keys, pattern or tags that have changed.
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
    names: tuple[bytes, ...]  # as bytes: a key may contain lone surrogates


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def to_bytes(message: Message) -> bytes:
    """Encode a message."""
    names = tuple(name.encode("utf-8", "surrogatepass") for name in message.names)
    return _encoder.encode(_Wire(message.sender, message.kind, message.version, message.generation, names))


def change_to_bytes(sender: bytes, version: int, generation: int, key: str) -> bytes:
    """Encode the message that one key has changed; the same as ``to_bytes`` in less time."""
    return _encoder.encode((sender, "keys", version, generation, (key.encode("utf-8", "surrogatepass"),)))


def from_bytes(blob: bytes) -> Message | None:
    """Decode a message; None if it is not a message of this version, so anything may have changed."""
    try:
        wire = _decoder.decode(blob)
        names = tuple(name.decode("utf-8", "surrogatepass") for name in wire.names)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Message(wire.sender, wire.kind, wire.version, wire.generation, names)


def is_from(sender: bytes, blob: bytes) -> bool:
    """Return whether a message is from this sender, without decoding it; half of all messages are a cache's own."""
    return blob.startswith(_START + sender)


# An array of five items, the first of which has 16 bytes.
_START = b"\x95\xc4\x10"
