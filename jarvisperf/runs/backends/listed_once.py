"""A place as it was at one moment: a command that asks several times what there is makes one list of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvisperf.runs.backends.place import Place


class ListedOnce:
    """A place that lists each folder once; reading, writing and deleting go through.

    Args:
        place: The place.
    """

    def __init__(self, place: Place) -> None:
        self.shown = place.shown
        self.readers = place.readers
        self.exists = place.exists
        self.read = place.read
        self.write = place.write
        self.delete = place.delete
        self._place = place
        self._listed: dict[str, list[str]] = {}

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all objects that were below a folder when it was first listed.

        Raises:
            RunStoreError: The place cannot be reached or listed.
        """
        known = next((above for above in self._listed if f"{folder}/".startswith(f"{above}/")), None)
        if known is None:
            self._listed[folder] = self._place.paths(folder)
            known = folder
        return [path for path in self._listed[known] if path.startswith(f"{folder}/")]
