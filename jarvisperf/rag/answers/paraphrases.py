"""Reuses answers for paraphrased questions: a second tier of the query cache, off by default.

Cosine similarity cannot tell "enable" from "disable": opposites are closer than many paraphrases. So two questions
count as the same only if their vectors are close enough *and* their content words are the same in the same order. They
may differ in case, in punctuation after words, and in a few words that carry no meaning. By design, this finds few
paraphrases; ``benchmarks/rag_lab/semantic_tier.py`` measures both.

A hit saves only the search, because the query must be embedded for the comparison.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.forks import renew_lock_when_forked

if TYPE_CHECKING:
    from collections.abc import Hashable

_MAX_QUESTIONS: Final = 1024
_BEFORE_A_WORD: Final = "¿¡"
_AFTER_A_WORD: Final = "?.,;:"  # other signs are content: C++, C#, -5, .NET, 5!

# English and Portuguese. Excluded: words that negate, ask, compare or count, or that say when, where to or by whom;
# and words that mean something else in the other language (no, do), as a letter (vitamin A, type O) or as an
# abbreviation (OS, DoS).
_FUNCTION_WORDS: Final = frozenset({"the", "an", "of", "is", "are", "be", "please", "é", "uns", "umas"})


def content_words(text: str) -> tuple[str, ...]:
    """Return the words that carry the meaning, in order; all words if none do."""
    words = tuple(word.lstrip(_BEFORE_A_WORD).rstrip(_AFTER_A_WORD) or word for word in text.casefold().split())
    return tuple(word for word in words if word not in _FUNCTION_WORDS) or words


class SemanticTier:
    """Remembers answered questions; safe to call from several threads.

    Args:
        threshold: Minimum cosine similarity, from 0 to 1.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._questions: OrderedDict[tuple[Hashable, tuple[str, ...]], tuple[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()
        renew_lock_when_forked(self)

    def similar(self, query: str, vector: Any, asked: Hashable) -> str | None:
        """Return a remembered question with the same meaning, or None.

        Args:
            query: The normalised question.
            vector: Its vector.
            asked: Everything else that the answer depends on.
        """
        import numpy as np

        with self._lock:
            known = self._questions.get((asked, content_words(query)))
        if known is None:
            return None
        earlier, packed = known
        other = np.frombuffer(packed, dtype=np.float32)
        if len(other) != len(vector):
            return None
        length = float(np.linalg.norm(other)) * float(np.linalg.norm(vector))
        near = length > 0 and float(other @ np.asarray(vector, dtype=np.float32)) / length >= self._threshold
        return earlier if near else None

    def remember(self, query: str, vector: Any, asked: Hashable) -> None:
        """Remember a question whose answer is cached."""
        import numpy as np

        key = (asked, content_words(query))
        with self._lock:
            self._questions[key] = (query, np.asarray(vector, dtype=np.float32).tobytes())
            self._questions.move_to_end(key)
            if len(self._questions) > _MAX_QUESTIONS:
                self._questions.popitem(last=False)
