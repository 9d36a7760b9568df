"""Finds the passages that wait for their vectors by the words of a query (BM25).

Unlike ``keywords.py``, which indexes all passages and starts again after each write, this index is brought up to date
passage by passage, because while passages wait there is a write every second.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.search.words import words_of_passage, words_of_query

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jarvisperf.rag.store.chroma import ChromaStore

# The defaults of bm25s, with which keywords.py ranks.
_K1: Final = 1.5
_B: Final = 0.75


class WaitingWords:
    """Ranks the waiting passages of a store; safe to call from several threads.

    Scores are BM25 (S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009) with
    Lucene's inverse document frequency, over the passages that wait.

    Args:
        store: The passages.
    """

    def __init__(self, store: ChromaStore) -> None:
        self._store = store
        self._tokens: dict[str, str] = {}
        self._words: dict[str, Counter[str]] = {}
        self._lengths: dict[str, int] = {}
        self._passages_with: defaultdict[str, set[str]] = defaultdict(set)
        self._lock = threading.Lock()
        tell_when_forked(self, WaitingWords.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Drop a lock that another thread of the parent may hold."""
        self._lock = threading.Lock()

    def best(self, query: str, count: int, waiting: Mapping[str, str], among: Collection[str]) -> list[str]:
        """Return the ids of up to ``count`` passages, best first; those without a word of the query come last.

        Args:
            query: The query.
            count: Maximum number of passages.
            waiting: The tokens of all passages that wait, by id.
            among: The ids of those that may be returned.

        Raises:
            MissingPackageError: regex is not installed.
        """
        with self._lock:
            self._bring_up_to(waiting)
            scores = self._scores(set(words_of_query(query)))
        return sorted(among, key=lambda key: (-scores.get(key, 0.0), key))[:count]

    def _scores(self, words: set[str]) -> dict[str, float]:
        scores: defaultdict[str, float] = defaultdict(float)
        number = len(self._words)
        mean_length = sum(self._lengths.values()) / number if number else 1.0
        for word in sorted(words):  # in one order, so that equal sums are equal
            having = self._passages_with.get(word, ())
            rarity = math.log(1 + (number - len(having) + 0.5) / (len(having) + 0.5))
            for key in having:
                often = self._words[key][word]
                scores[key] += rarity * often / (often + _K1 * (1 - _B + _B * self._lengths[key] / mean_length))
        return scores

    def _bring_up_to(self, waiting: Mapping[str, str]) -> None:
        for key in [key for key, token in self._tokens.items() if waiting.get(key) != token]:
            self._forget(key)
        for passage in self._store.waiting_passages([key for key in waiting if key not in self._tokens]):
            words = Counter(words_of_passage(passage.text))
            self._tokens[passage.id] = passage.token
            self._words[passage.id] = words
            self._lengths[passage.id] = words.total()
            for word in words:
                self._passages_with[word].add(passage.id)

    def _forget(self, key: str) -> None:
        del self._tokens[key], self._lengths[key]
        for word in self._words.pop(key):
            self._passages_with[word].discard(key)
            if not self._passages_with[word]:
                del self._passages_with[word]
