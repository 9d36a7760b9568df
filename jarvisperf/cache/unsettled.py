"""The keys whose old values may still be in a store that could not be reached."""

from __future__ import annotations


class UnsettledKeys:
    """Keys written, deleted or invalidated while their store did not answer; not thread-safe.

    Args:
        most_keys: Beyond that many, every key counts as unsettled.
    """

    def __init__(self, most_keys: int) -> None:
        self._most_keys = most_keys
        self._keys: set[str] = set()
        self.everything = False

    def add(self, key: str) -> None:
        """Note a key."""
        if not self.everything:
            self._keys.add(key)
            if len(self._keys) > self._most_keys:
                self.add_everything()

    def add_everything(self) -> None:
        """Note all keys that the store may have."""
        self.everything = True
        self._keys.clear()

    def take(self) -> tuple[bool, set[str]]:
        """Give what was noted (everything, or these keys) and forget it."""
        taken = self.everything, self._keys
        self.everything, self._keys = False, set()
        return taken

    def put_back(self, everything: bool, keys: set[str]) -> None:
        """Note again what was taken."""
        if everything:
            self.add_everything()
        for key in keys:
            self.add(key)

    def __len__(self) -> int:
        return len(self._keys)

    def __bool__(self) -> bool:
        return self.everything or bool(self._keys)
