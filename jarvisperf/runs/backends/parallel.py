"""Reads many objects of a place at once, because each request to a bucket takes tens of milliseconds."""

from __future__ import annotations

import collections
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from jarvisperf.runs.backends.place import RunStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from jarvisperf.runs.backends.place import Place

    Content = bytes | FileNotFoundError | RunStoreError

WAITING_PER_READER = 4  # objects that have been read but not yet taken; they bound the memory


def read_each(place: Place, paths: Iterable[str]) -> Iterator[tuple[str, Content]]:
    """Read objects, as many at a time as the place allows, and yield them in the order of their paths.

    Args:
        place: Where they are.
        paths: Their paths.

    Yields:
        Each path with its bytes, or with the error if it cannot be read: one bad object never hides the others.
    """
    if place.readers == 1:
        for path in paths:
            yield path, _content(place, path)
        return
    remaining = iter(paths)
    reads: collections.deque[tuple[str, Future[Content]]] = collections.deque()
    with ThreadPoolExecutor(place.readers, thread_name_prefix="jarvisperf-reader") as pool:
        try:
            while True:
                room = WAITING_PER_READER * place.readers - len(reads)
                reads.extend((path, pool.submit(_content, place, path)) for path in itertools.islice(remaining, room))
                if not reads:
                    return
                path, read = reads.popleft()
                yield path, read.result()
        finally:
            for _, read in reads:
                read.cancel()


def _content(place: Place, path: str) -> Content:
    try:
        return place.read(path)
    except (FileNotFoundError, RunStoreError) as error:
        return error
