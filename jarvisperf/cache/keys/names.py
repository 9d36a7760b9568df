"""Names of keys outside the process: the namespace, a colon, the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEPARATOR: Final = ":"
_LONGEST_TAG_BYTES: Final = 1000
_MOST_TAGS: Final = 1000


class Names:
    """Converts keys to names and back.

    Args:
        namespace: Separates several caches in one Redis or folder. It must not contain a colon: otherwise clearing
            ``a`` would also clear ``a:b``.

    Raises:
        TypeError: The namespace is not a str.
        ValueError: It is empty or contains a colon.
    """

    def __init__(self, namespace: str) -> None:
        if not isinstance(namespace, str):
            raise TypeError(f"namespace is {namespace!r}: give a str, not {type(namespace).__name__}")
        if not namespace or SEPARATOR in namespace:
            raise ValueError(f"namespace is {namespace!r}: give a word without {SEPARATOR!r}")
        self.prefix = _encoded(namespace + SEPARATOR)

    def name(self, key: str) -> bytes:
        """Return the name of a key or of a key prefix."""
        try:
            return self.prefix + key.encode()
        except UnicodeEncodeError:
            return self.prefix + _encoded(key)

    def names(self, keys: Sequence[str]) -> list[bytes]:
        """Return the names of several keys."""
        prefix = self.prefix
        try:
            return [prefix + key for key in map(str.encode, keys)]
        except UnicodeEncodeError:
            return [self.name(key) for key in keys]

    def key(self, name: bytes) -> str | None:
        """Return the key of a name; None if the name is not in this namespace."""
        if not name.startswith(self.prefix):
            return None
        try:
            return name[len(self.prefix) :].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def checked_key(key: object) -> str:
    """Return the key if it is valid.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty.
    """
    if not isinstance(key, str):
        raise TypeError(f"key is {key!r}: give a str, not {type(key).__name__}")
    if not key:
        raise ValueError("key is '': give a str of one character or more")
    return key


def checked_keys(keys: Iterable[str]) -> list[str]:
    """Return the keys as a list if all are valid.

    Raises:
        TypeError: One is not a str, or a single str was given.
        ValueError: One is empty.
    """
    found = list(_several("keys", keys, example="['user:1', 'user:2']"))
    if not {str}.issuperset(map(type, found)) or "" in found:  # find out which one
        for key in found:
            checked_key(key)
    return found


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags without duplicates if all are valid.

    Raises:
        TypeError: One is not a str, or a single str was given.
        ValueError: One is empty or too long, or there are too many.
    """
    given = tuple(_several("tags", tags, example="['users', 'posts']"))
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"tag is {tag!r}: give a str, not {type(tag).__name__}")
        if not 0 < len(_encoded(tag)) <= _LONGEST_TAG_BYTES:
            raise ValueError(f"tag is {tag[:40]!r}: give a str of 1 to {_LONGEST_TAG_BYTES} bytes in UTF-8")
    found = tuple(dict.fromkeys(given))
    if len(found) > _MOST_TAGS:
        raise ValueError(f"{len(found)} tags are too many: give {_MOST_TAGS} at most")
    return found


def _several(name: str, values: Iterable[str], *, example: str) -> Iterator[str]:
    """Iterate over several values; reject a single str, which would yield its characters."""
    if isinstance(values, str):
        raise TypeError(f"{name} is the str {values!r}: give several {name}, such as [{values!r}]")
    try:
        return iter(values)
    except TypeError:
        raise TypeError(f"{name} is {values!r}: give several {name}, such as {example}") from None
