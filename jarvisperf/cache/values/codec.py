"""Values to bytes and back, without pickle unless it was asked for with a secret.

``packing.py`` and ``unpacking.py`` are the way of nearly all values. One large array goes as it lies in memory
(``arrays.py``), so that it is copied once on its way in and once on its way out.
"""

from __future__ import annotations

import enum
import pickle
import sys
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.values.envelope import ARRAY, MESSAGEPACK, PICKLE, UNREADABLE, Encoded
from jarvisperf.cache.values.identity import lasting_name
from jarvisperf.cache.values.isolation import PLAIN, Held, hold_encodable, hold_plain
from jarvisperf.cache.values.msgpack import MAX_DEPTH, TooDeepError, pack
from jarvisperf.cache.values.scalars import UnencodableError
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE, Unpacker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jarvisperf.cache.values.msgpack import Fallback

__all__ = ["CODEC_ID", "IMMUTABLE_SCALARS", "MAX_DEPTH", "UNREADABLE", "Codec", "TooDeepError", "decode", "encode"]

CODEC_ID: Final = MESSAGEPACK
IMMUTABLE_SCALARS: Final = PLAIN
"""Types whose values nobody can change and that always have an encoding."""

_NO_ENUMS: Final[Mapping[type, str]] = {}
_PICKLE_PROTOCOL: Final = 5


def encode(value: object, fallback: Fallback | None = None) -> bytes:
    """Encode a value as MessagePack; see ``pack``."""
    return pack(value, _NO_ENUMS, fallback)


def decode(payload: bytes | memoryview) -> object:
    """Decode what :func:`encode` made; ``UNREADABLE`` for all other bytes. Nothing in the bytes is executed."""
    try:
        return _unpacker.unpack(payload)
    except UNREADABLE_BECAUSE:
        return UNREADABLE


class Codec:
    """What one cache can store.

    Args:
        enums: Classes of Enum whose members may be stored, by their names; a reader without the class has a miss.
        may_pickle: A value without a safe encoding is pickled. Only for bytes whose keyed MAC was verified.

    Attributes:
        unpack: Gives the value of some bytes of MessagePack; raises one of ``UNREADABLE_BECAUSE``.

    Raises:
        TypeError: ``enums`` is not several classes of Enum.
        ValueError: Two of them have the same name.
    """

    def __init__(self, enums: Iterable[type[enum.Enum]] = (), *, may_pickle: bool = False) -> None:
        by_name: dict[str, type[enum.Enum]] = {}
        if not hasattr(enums, "__iter__"):
            raise TypeError(f"enums is {enums!r}: give classes of Enum, such as [Colour]")
        for kind in enums:
            given: object = kind
            if not (isinstance(given, type) and issubclass(given, enum.Enum)):
                raise TypeError(f"enums has {kind!r} in it: give classes of Enum")
            if by_name.setdefault(lasting_name(kind), kind) is not kind:
                raise ValueError(f"enums has two classes named {lasting_name(kind)}: they could not be told apart")
        self._enums: dict[type, str] = {kind: name for name, kind in by_name.items()}
        self._may_pickle = may_pickle
        self.unpack = Unpacker(by_name).unpack

    def encode(self, value: object) -> Encoded:
        """Encode a value.

        Raises:
            TypeError: A part of it has no encoding; the message names the part: ``value['rows'][3]``.
        """
        if type(value).__module__ == "numpy":
            from jarvisperf.cache.values import arrays

            parts = arrays.lay_out(value)
            if parts is not None:
                return Encoded(ARRAY, parts)
        try:
            return Encoded(MESSAGEPACK, (pack(value, self._enums),))
        except UnencodableError:
            if self._may_pickle:
                return Encoded(PICKLE, (_pickled(value),))
            # Only a failure pays for finding out which part it was.
            from jarvisperf.cache.values.explain import find_culprit

            raise TypeError(find_culprit(value, enums=self._enums)) from None

    def decode(self, codec: int, payload: bytes | memoryview) -> object:
        """Decode a payload; ``UNREADABLE`` for what this codec never wrote."""
        try:
            if codec == MESSAGEPACK:
                return self.unpack(payload)
            if codec == ARRAY:
                from jarvisperf.cache.values import arrays

                return arrays.from_layout(memoryview(payload))
        except UNREADABLE_BECAUSE:
            return UNREADABLE
        if codec == PICKLE and self._may_pickle:
            return _unpickled(payload)
        return UNREADABLE

    def hold(self, value: object, encoded: Encoded | None = None) -> Held | None:
        """Give a value as memory holds it: out of the reach of everybody.

        Args:
            value: The value; one that was just decoded, or a caller's own.
            encoded: The same, encoded; None: not yet. Then the result may be None: encode it and ask again.
        """
        if encoded is None:
            return hold_plain(value)
        held = hold_encodable(value, self._enums)
        if held is not None:
            return held
        payload = encoded.payload()
        return Held(payload, self._thaw(encoded.codec), sys.getsizeof(payload))

    def _thaw(self, codec: int) -> Callable[[Any], object]:
        # These bytes are the process's own, so that there is nothing to catch.
        if codec == MESSAGEPACK:
            return self.unpack
        return lambda payload: self.decode(codec, payload)


def _pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value, _PICKLE_PROTOCOL)
    except Exception as error:  # whatever the value's own methods raise
        raise TypeError(f"value: object of type {type(value).__qualname__} cannot be pickled: {error}") from error


def _unpickled(payload: bytes | memoryview) -> object:
    try:
        return pickle.loads(payload)  # noqa: S301 - asked for, and its keyed MAC was verified before
    except Exception:  # noqa: BLE001 - a class that is gone or has changed may raise whatever it likes: a miss
        return UNREADABLE


_unpacker = Unpacker({})
