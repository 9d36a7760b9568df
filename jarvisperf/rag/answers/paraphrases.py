"""The second tier of the query cache, off unless asked for: answers to questions that say the same in other words.

Cosine similarity cannot tell "enable" from "disable": pairs of opposites lie nearer than many paraphrases. So a
question counts as the same only where its vector is near enough *and* its content words are the same in the same
order; what may differ are a few words that only hold a sentence together, case, and the punctuation after a word. This
finds few paraphrases and is meant to: ``benchmarks/rag_lab/semantic_tier.py`` measures both.

What it saves is the search only, for the query must be embedded to be compared.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

_MOST_QUESTIONS: Final = 1024
_BEFORE_A_WORD: Final = "¿¡"
_AFTER_A_WORD: Final = "?.,;:"  # other signs are content: C++, C#, -5, .NET, 5!

# English, and Portuguese. No word that negates, asks, compares, counts, or says when, whither or by whom; and none that
# is something else in the other language (no, do), a letter (vitamin A, type O) or an abbreviation (OS, DoS).
_FUNCTION_WORDS: Final = frozenset({"the", "an", "of", "is", "are", "be", "please", "é", "uns", "umas"})


def same_words(one: str, other: str) -> bool:
    """The guard: whether two questions have the same content words in the same order."""
    return content_words(one) == content_words(other)


def content_words(text: str) -> tuple[str, ...]:
    """The words that carry the meaning, in their order; all of them where there are no others."""
    words = tuple(word.lstrip(_BEFORE_A_WORD).rstrip(_AFTER_A_WORD) or word for word in text.casefold().split())
    return tuple(word for word in words if word not in _FUNCTION_WORDS) or words


class SemanticTier:
    """Questions that were answered, by what else they asked for; safe to call from several threads.

    Args:
        threshold: The least cosine similarity, above 0 and at most 1.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._questions: OrderedDict[tuple[Hashable, tuple[str, ...]], tuple[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def similar(self, query: str, vector: Any, asked: Hashable) -> str | None:
        """A question that was remembered with the same ``asked`` and says the same, or None.

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
        """Note a question whose answer the cache has."""
        import numpy as np

        key = (asked, content_words(query))
        with self._lock:
            self._questions[key] = (query, np.asarray(vector, dtype=np.float32).tobytes())
            self._questions.move_to_end(key)
            if len(self._questions) > _MOST_QUESTIONS:
                self._questions.popitem(last=False)
