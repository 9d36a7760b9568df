"""Compresses large encoded values with zstd for Redis and the disk, and expands them within a bound.

A compressed payload is one zstd frame (RFC 8878) whose header states the size of the original, and its codec says what
the original is. A value that does not get at least a tenth smaller stays as it is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from jarvisperf.cache.values.envelopes.envelope import (
    ARRAY,
    MESSAGEPACK,
    PICKLE,
    ZSTD_ARRAY,
    ZSTD_MESSAGEPACK,
    ZSTD_PICKLE,
    Encoded,
)
from jarvisperf.extras import require

LARGEST_BYTES: Final = 2**28
"""Larger originals are not compressed, and no reader expands a payload beyond this size."""
_LEVEL: Final = 3  # zstd's default
_LEAST_GAIN: Final = 0.1
_BY_ORIGINAL: Final = {MESSAGEPACK: ZSTD_MESSAGEPACK, ARRAY: ZSTD_ARRAY, PICKLE: ZSTD_PICKLE}
_ORIGINALS: Final = {compressed: original for original, compressed in _BY_ORIGINAL.items()}


class CannotExpandError(ValueError):
    """Bytes are not the frame of a compressed payload, or the original would be too large."""


class Compressed(NamedTuple):
    """Counts of compressed values and their sizes in bytes before and after."""

    values: int = 0
    before_bytes: int = 0
    after_bytes: int = 0


class Compression:
    """Compresses values from a certain size on; without a size, none.

    Args:
        from_bytes: The size of the smallest encoded value to compress; None for no compression.

    Attributes:
        done: What was compressed so far; if two threads compress at the same moment, one may not be counted.

    Raises:
        MissingExtraError: A size is given, and zstandard is not installed.
    """

    def __init__(self, from_bytes: int | None) -> None:
        if from_bytes is not None:
            require("zstd", "compress_from_bytes")
        self._from_bytes = from_bytes
        self.done = Compressed()

    def compress(self, encoded: Encoded) -> Encoded:
        """Return the value in fewer bytes; unchanged if it is too small or too large, or does not get much smaller."""
        if self._from_bytes is None:
            return encoded
        size_bytes = encoded.size_bytes
        if not self._from_bytes <= size_bytes <= LARGEST_BYTES or encoded.codec not in _BY_ORIGINAL:
            return encoded
        import zstandard

        frame = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).compress(encoded.payload())
        if len(frame) > size_bytes * (1 - _LEAST_GAIN):
            return encoded
        values, before_bytes, after_bytes = self.done
        self.done = Compressed(values + 1, before_bytes + size_bytes, after_bytes + len(frame))
        return Encoded(_BY_ORIGINAL[encoded.codec], (frame,))


def is_compressed(codec: int) -> bool:
    """Return whether the payloads of a codec are compressed."""
    return codec in _ORIGINALS


def expand(codec: int, payload: bytes | memoryview) -> tuple[int, bytes]:
    """Return the codec and the bytes of the original.

    Raises:
        CannotExpandError: The payload is damaged, or its original would be larger than ``LARGEST_BYTES``.
        ModuleNotFoundError: zstandard is not installed.
    """
    import zstandard

    try:
        size_bytes = zstandard.frame_content_size(payload)
        if not 0 <= size_bytes <= LARGEST_BYTES:
            raise CannotExpandError(f"{size_bytes} bytes")
        original = zstandard.ZstdDecompressor().decompress(payload, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CannotExpandError(str(error)) from error
    if len(original) != size_bytes:
        raise CannotExpandError(f"{len(original)} bytes instead of {size_bytes}")
    return _ORIGINALS[codec], original
