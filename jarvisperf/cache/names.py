"""The names that keys have outside the process: the namespace, a colon, the key."""

from __future__ import annotations

from typing import Final

SEPARATOR: Final = ":"


class Names:
    """Turns keys into names and back.

    Args:
        namespace: What keeps several caches in one Redis or folder apart. It holds no colon: with one, clearing
            ``a`` would clear ``a:b`` too.

    Raises:
        TypeError: The namespace is not a str.
        ValueError: It is empty or holds a colon.
    """

    def __init__(self, namespace: str) -> None:
        if not isinstance(namespace, str):
            raise TypeError(f"namespace is {namespace!r}: give a str, not {type(namespace).__name__}")
        if not namespace or SEPARATOR in namespace:
            raise ValueError(f"namespace is {namespace!r}: give a word without {SEPARATOR!r}")
        self.prefix = _encoded(namespace + SEPARATOR)

    def name(self, key: str) -> bytes:
        """Give the name of a key (or of the start of one)."""
        return self.prefix + _encoded(key)

    def key(self, name: bytes) -> str | None:
        """Give the key of a name; None: no key of this namespace has it."""
        if not name.startswith(self.prefix):
            return None
        try:
            return name[len(self.prefix) :].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def checked_key(key: object) -> str:
    """Return the key, or say what is wrong with it.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty.
    """
    if not isinstance(key, str):
        raise TypeError(f"key is {key!r}: give a str, not {type(key).__name__}")
    if not key:
        raise ValueError("key is '': give a str of one character or more")
    return key
