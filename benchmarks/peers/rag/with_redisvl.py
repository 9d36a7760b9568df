"""RedisVL's SemanticCache and EmbeddingsCache, asked what ``known_questions.py`` wrote; needs Redis with search."""

from __future__ import annotations

import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from redisvl.extensions.cache.embeddings import EmbeddingsCache
from redisvl.extensions.cache.llm import SemanticCache
from redisvl.utils.vectorize import CustomVectorizer

from benchmarks.peers.rag.work import report, seconds


def main(folder: Path, url: str) -> None:
    vectors = dict(np.load(folder / "vectors.npz"))
    names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
    kinds = json.loads((folder / "kinds.json").read_text(encoding="utf-8"))
    some = next(iter(vectors.values()))
    vectorizer = CustomVectorizer(embed=lambda text: vectors[names[text]].tolist() if text in names else some.tolist())
    report(
        {
            "kinds": {kind: _asked(kind, work, vectorizer, url) for kind, work in kinds.items()},
            "vectors": _vectors({text: vectors[name] for text, name in names.items()}, url),
        }
    )


def _asked(kind: str, work: dict[str, list[str]], vectorizer: CustomVectorizer, url: str) -> dict[str, object]:
    """Remember questions, ask others, and return what each was taken for, with the median time."""
    cache = SemanticCache(
        name=kind.replace(" ", "-"), redis_url=url, distance_threshold=0.1, vectorizer=vectorizer, overwrite=True
    )
    for question in work["remembered"]:
        cache.store(prompt=question, response=question)
    taken_for: list[str | None] = []
    times = []
    for question in work["asked"]:
        start = time.perf_counter()
        found = cache.check(prompt=question)
        times.append(time.perf_counter() - start)
        taken_for.append(found[0]["response"] if found else None)
    cache.delete()
    return {"taken_for": taken_for, "seconds": statistics.median(times)}


def _vectors(vectors: dict[str, np.ndarray], url: str) -> dict[str, float]:
    """Store vectors of texts and get them, all at once."""
    cache = EmbeddingsCache(redis_url=url)
    items = [{"content": text, "model_name": "minilm", "embedding": row.tolist()} for text, row in vectors.items()]
    stored = seconds(lambda: cache.mset(items))
    got = [seconds(partial(cache.mget, list(vectors), "minilm")) for _ in range(5)]
    cache.clear()
    return {"texts": len(vectors), "store": stored, "get": statistics.median(got)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
