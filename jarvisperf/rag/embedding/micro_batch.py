"""Serves the queries of many threads with one model: queries that wait are embedded as one batch.

A tokenizer must not be used by two threads at once. The thread that acquires the model serves all waiting threads, so
there is no extra thread to start, stop or lose in a fork.
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
    """Embeds texts one by one, and as a batch when several threads wait.

    Args:
        embed: Returns one vector per text.
        model_lock: Held while ``embed`` runs.
        max_batch: Maximum number of texts per batch.
    """

    def __init__(self, embed: Callable[[Sequence[str]], Any], model_lock: threading.Lock, max_batch: int) -> None:
        self._embed = embed
        self._model_lock = model_lock
        self._max_batch = max_batch
        self._waiting: deque[_Waiting] = deque()

    def vector(self, text: str) -> Any:
        """Return the vector of a text; if ``embed`` fails, every thread with a text in the batch gets the error."""
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
            while self._waiting and len(batch) < self._max_batch:
                batch.append(self._waiting.popleft())  # one by one: others may arrive at any moment
            vectors = self._embed([one.text for one in batch])
            for one, vector in zip(batch, vectors, strict=True):
                one.vector = vector
        except Exception as error:  # noqa: BLE001 - raised again in every waiting thread
            for one in batch:
                one.error = error
        except BaseException:  # an interrupt affects only this thread
            self._waiting.extendleft(one for one in reversed(batch) if one is not mine)
            raise
