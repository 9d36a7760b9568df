"""Encodes values as bytes and decodes them, without pickle unless a secret enables it.

Nearly all values go through ``msgpack.py`` and ``unpacking.py``. A single numpy array is stored with its memory layout
(``arrays.py``), so that it is copied once when stored and once when read.
"""

from __future__ import annotations

import enum
import pickle
import sys
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.values.classes.declared import UNDECLARED, UndeclaredError
from jarvisperf.cache.values.envelopes.compression import Compression, expand, is_compressed
from jarvisperf.cache.values.envelopes.envelope import ARRAY, MESSAGEPACK, PICKLE, UNREADABLE, Encoded
from jarvisperf.cache.values.isolation import NATIVE_COPIES, PLAIN, Held, hold_encodable
from jarvisperf.cache.values.msgpack import MAX_DEPTH, ChangedError, TooDeepError, pack, pack_native
from jarvisperf.cache.values.object_identity import lasting_name
from jarvisperf.cache.values.scalars import UnencodableError
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE, Unpacker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jarvisperf.cache.values.msgpack import Fallback

__all__ = ["CODEC_ID", "IMMUTABLE_SCALARS", "MAX_DEPTH", "UNREADABLE", "Codec", "TooDeepError", "decode", "encode"]

CODEC_ID: Final = MESSAGEPACK
IMMUTABLE_SCALARS: Final = PLAIN
"""Immutable types that always have an encoding."""

_NO_ENUMS: Final[Mapping[type, str]] = {}
# Larger blocks of memory are given back in part.
_SMALL_BYTES: Final = 2**17
_PICKLE_PROTOCOL: Final = 5


def encode(value: object, fallback: Fallback | None = None) -> bytes:
    """Encode a value as MessagePack; see ``pack``."""
    return pack(value, _NO_ENUMS, fallback)


def decode(payload: bytes | memoryview) -> object:
    """Decode the result of :func:`encode`; ``UNREADABLE`` for any other bytes. Nothing in the bytes is executed."""
    try:
        return _unpacker.unpack(payload)
    except UNREADABLE_BECAUSE:
        return UNREADABLE


class Codec:
    """The encoder and decoder of one cache.

    Args:
        enums: Enum classes whose members may be stored by name; for a reader without the class, they are misses.
        may_pickle: Pickle values that have no safe encoding. Only for bytes whose keyed MAC is verified.
        compress_from_bytes: Compress encoded values from this size on; None for no compression.
        is_flat: Returns True only for a dict or list of ``PLAIN`` types, which is encoded as it is; None if every value
            is checked while it is encoded.

    Attributes:
        compression: Compresses encoded values for the tiers below memory.
        unpack: Decodes MessagePack to a value; raises one of ``UNREADABLE_BECAUSE``.

    Raises:
        TypeError: ``enums`` is not an iterable of Enum classes.
        ValueError: Two of them have the same name.
    """

    def __init__(
        self,
        enums: Iterable[type[enum.Enum]] = (),
        *,
        may_pickle: bool = False,
        compress_from_bytes: int | None = None,
        is_flat: Callable[[object], bool] | None = None,
    ) -> None:
        by_name: dict[str, type[enum.Enum]] = {}
        if not hasattr(enums, "__iter__"):
            raise TypeError(f"enums is {enums!r}: give Enum classes, such as [Colour]")
        for kind in enums:
            given: object = kind
            if not (isinstance(given, type) and issubclass(given, enum.Enum)):
                raise TypeError(f"enums contains {kind!r}: give Enum classes")
            if by_name.setdefault(lasting_name(kind), kind) is not kind:
                raise ValueError(f"enums contains two classes named {lasting_name(kind)}: give each name once")
        self._enums: dict[type, str] = {kind: name for name, kind in by_name.items()}
        self._may_pickle = may_pickle
        self._is_flat = is_flat
        self.compression = Compression(compress_from_bytes)
        self.unpack = Unpacker(by_name).unpack

    def encode(self, value: object) -> Encoded:
        """Encode a value.

        Raises:
            UnencodableError: (a TypeError) A part of it has no encoding; the message names it: ``value['rows'][3]``.
        """
        if self._is_flat is not None and self._is_flat(value):
            payload = pack_native(value)
            if payload is not None:
                return Encoded(MESSAGEPACK, (payload,))
        if type(value).__module__ == "numpy":
            from jarvisperf.cache.values import arrays

            parts = arrays.lay_out(value)
            if parts is not None:
                return Encoded(ARRAY, parts)
        try:
            return Encoded(MESSAGEPACK, (pack(value, self._enums, unpack=self.unpack),))
        except UnencodableError as error:
            if self._may_pickle:
                return Encoded(PICKLE, (_pickled(value),))
            if isinstance(error, ChangedError):
                raise
            # Only a failure pays for the search.
            from jarvisperf.cache.values.explain import find_culprit

            raise UnencodableError(find_culprit(value, enums=self._enums)) from None

    def encode_plain(self, held: Held) -> Encoded | None:
        """Encode a value that ``hold_plain`` has checked, from its private copy; None if it needs ``encode``."""
        payload = pack_native(held.value) if held.thaw in NATIVE_COPIES else None
        return None if payload is None else Encoded(MESSAGEPACK, (payload,))

    def decode(self, codec: int, payload: bytes | memoryview) -> object:
        """Decode a payload; ``UNREADABLE`` for bytes that no codec wrote, ``UNDECLARED`` if only others can read it."""
        try:
            if is_compressed(codec):
                codec, payload = expand(codec, payload)
            if codec == MESSAGEPACK:
                return self.unpack(payload)
            if codec == ARRAY:
                from jarvisperf.cache.values import arrays

                return arrays.from_layout(memoryview(payload))
        except (UndeclaredError, ModuleNotFoundError):  # such as zstandard
            return UNDECLARED
        except UNREADABLE_BECAUSE:
            return UNREADABLE
        if codec == PICKLE and self._may_pickle:
            return _unpickled(payload)
        return UNREADABLE

    def hold(self, value: object, encoded: Encoded) -> Held:
        """Return a value in the form that memory holds, so that no caller can change it.

        Many values need not be encoded for that: try ``hold_plain`` first.

        Args:
            value: The value, either just decoded or the caller's own.
            encoded: The encoded value.
        """
        held = hold_encodable(value, self._enums)
        if held is not None:
            return held
        codec, payload = encoded.codec, encoded.payload()
        if is_compressed(codec):
            codec, payload = expand(codec, payload)
        if len(payload) < _SMALL_BYTES:
            payload = bytes(memoryview(payload))  # the encoder's buffer would keep its unused end
        return Held(payload, self._thaw(codec), sys.getsizeof(payload))

    def _thaw(self, codec: int) -> Callable[[Any], object]:
        # These bytes were written by this process, so decoding cannot fail.
        if codec == MESSAGEPACK:
            return self.unpack
        return lambda payload: self.decode(codec, payload)


def _pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value, _PICKLE_PROTOCOL)
    except Exception as error:  # the value's own methods may raise anything
        raise UnencodableError(
            f"value: object of type {type(value).__qualname__} cannot be pickled: {error}"
        ) from error


def _unpickled(payload: bytes | memoryview) -> object:
    try:
        return pickle.loads(payload)  # noqa: S301 - enabled by the user, and the keyed MAC was verified
    except Exception:  # noqa: BLE001 - a class that is gone or has changed may raise anything: a miss
        return UNREADABLE


_unpacker = Unpacker({})
