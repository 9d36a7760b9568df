"""Hostile inputs for each reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.mutations import as_text, mutated_bytes, mutated_json, packed
from fuzz.readers import CORPUS, JSON_READERS, seed

from jarvisperf.cache.values.codec import encode
from jarvisperf.cache.values.envelopes.envelope import MESSAGEPACK, Encoded, seal

if TYPE_CHECKING:
    from random import Random

VALUES = ("text", 1.5, [1, 2, {"a": (1, None)}], {"k" * 40: b"bytes"}, set(range(9)), 2**80, [[["deep"]]])


def input_for(reader: str, random: Random) -> bytes:
    """Return one input.

    Args:
        reader: The reader's name.
        random: Decides everything.
    """
    if reader in JSON_READERS:
        good = seed("run" if reader == "stored" else reader)
        text = as_text(mutated_json(good, random), random)
        text = mutated_bytes(text, random) if random.random() < 0.1 else text
        return packed(text, random) if reader == "stored" else text
    if reader == "value":
        return mutated_bytes(encode(random.choice(VALUES)), random)
    if reader == "envelope":
        return mutated_bytes(_sealed(random), random)
    return mutated_bytes((CORPUS / reader).read_bytes(), random)


def _sealed(random: Random) -> bytes:
    encoded = Encoded(MESSAGEPACK, (encode(random.choice(VALUES)),))
    tags = ("a tag",) if random.random() < 0.3 else ()
    secret = b"secret" * 6 if random.random() < 0.3 else None
    return seal(b"key", encoded, 1.0, random.choice((2.0, float("inf"))), tags=tags, secret=secret)
