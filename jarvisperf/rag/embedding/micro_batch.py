"""Serves the queries of many threads with one model: those that wait are embedded together.

A tokenizer must not be used by two threads at once. Whoever gets the model works for all who wait, so there is no
thread of its own to start, to stop or to lose in a fork.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence


class _Waiting:
    __slots__ = ("error", "text", "vector")

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: Any = None
        self.error: Exception | None = None

    @property
    def served(self) -> bool:
        return self.vector is not None or self.error is not None


class MicroBatcher:
    """Embeds texts one by one for its callers, and together where several wait.

    Args:
        embed: Gives one vector per text.
        model_lock: Held while ``embed`` works.
        most: How many texts are embedded together.
    """

    def __init__(self, embed: Callable[[Sequence[str]], Any], model_lock: threading.Lock, most: int) -> None:
        self._embed = embed
        self._model_lock = model_lock
        self._most = most
        self._waiting: deque[_Waiting] = deque()

    def vector(self, text: str) -> Any:
        """The vector of a text; an error of ``embed`` reaches everyone whose text was in the batch."""
        mine = _Waiting(text)
        self._waiting.append(mine)
        while not mine.served:
            with self._model_lock:
                if not mine.served:
                    self._serve(mine)
        if mine.error is not None:
            raise mine.error
        return mine.vector

    def _serve(self, mine: _Waiting) -> None:
        batch: list[_Waiting] = []
        try:
            while self._waiting and len(batch) < self._most:
                batch.append(self._waiting.popleft())  # one by one: others may come at any moment
            vectors = self._embed([one.text for one in batch])
            for one, vector in zip(batch, vectors, strict=True):
                one.vector = vector
        except Exception as error:  # noqa: BLE001 - it is raised in every thread that waits for it
            for one in batch:
                one.error = error
        except BaseException:  # an interrupt is for this thread alone
            self._waiting.extendleft(one for one in reversed(batch) if one is not mine)
            raise
