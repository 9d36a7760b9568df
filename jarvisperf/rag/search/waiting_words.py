"""Finds the passages that wait for their vectors by the words of a query (BM25).

Unlike ``keywords.py``, which indexes all passages and starts again after each write, this index is brought up to date
passage by passage, because while passages wait there is a write every second. A word of a passage takes six bytes, so
that 100,000 passages of 200 different words take 120 MB.
"""

from __future__ import annotations

import itertools
import math
import threading
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.search.words import words_of_passage, words_of_query

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.waiting import WaitingPassage

# The defaults of bm25s, with which keywords.py ranks.
_K1: Final = 1.5
_B: Final = 0.75
_READ_TOGETHER: Final = 1000
_FEWEST_REMAINS: Final = 1000
_MOST_OFTEN: Final = 65_535  # what two bytes hold


class WaitingWords:
    """Ranks the waiting passages of a store; safe to call from several threads.

    Scores are BM25 (S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009) with
    Lucene's inverse document frequency, over the passages that wait.

    Args:
        store: The passages.
    """

    def __init__(self, store: ChromaStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._clear()
        tell_when_forked(self, WaitingWords.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Drop a lock that another thread of the parent may hold, and what that thread may have left unfinished."""
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._row_of: dict[str, int] = {}
        self._tokens: dict[str, str] = {}
        self._waits = bytearray()  # by row; a passage that no longer waits leaves its words behind
        self._lengths = array("I")  # by row
        self._rows_with: dict[str, tuple[array[int], array[int]]] = {}  # by word: rows, and how often each has it

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
            scores = self._scores(set(words_of_query(query))).tolist()
            score_of = {key: scores[self._row_of[key]] for key in among if key in self._row_of}
        return sorted(among, key=lambda key: (-score_of.get(key, 0.0), key))[:count]

    def _scores(self, words: set[str]) -> Any:
        import numpy as np

        waits = np.array(self._waits, dtype=bool)
        lengths = np.array(self._lengths, dtype=np.float64)
        number = len(self._row_of)
        mean_length = float(lengths[waits].mean()) if number else 1.0
        scores = np.zeros(len(lengths))
        for word in sorted(words & self._rows_with.keys()):  # in one order, so that equal sums are equal
            rows, often = (np.array(column, dtype=np.int64) for column in self._rows_with[word])
            rows, often = rows[waits[rows]], often[waits[rows]]
            rarity = math.log(1 + (number - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += rarity * often / (often + _K1 * (1 - _B + _B * lengths[rows] / mean_length))
        return scores

    def _bring_up_to(self, waiting: Mapping[str, str]) -> None:
        for key in [key for key, token in self._tokens.items() if waiting.get(key) != token]:
            self._waits[self._row_of.pop(key)] = False
            del self._tokens[key]
        if len(self._waits) > 2 * len(self._row_of) + _FEWEST_REMAINS:
            self._clear()
        new = iter([key for key in waiting if key not in self._tokens])
        while part := list(itertools.islice(new, _READ_TOGETHER)):
            for passage in self._store.waiting_passages(part):
                self._add(passage)

    def _add(self, passage: WaitingPassage) -> None:
        row = len(self._waits)
        words = Counter(words_of_passage(passage.text))
        self._row_of[passage.id], self._tokens[passage.id] = row, passage.token
        self._waits.append(True)
        self._lengths.append(words.total())
        for word, often in words.items():
            rows, counts = self._rows_with.setdefault(word, (array("I"), array("H")))
            rows.append(row)
            counts.append(min(often, _MOST_OFTEN))
