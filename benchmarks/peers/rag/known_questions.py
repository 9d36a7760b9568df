"""Questions that a semantic cache should and should not take for each other, and this package's answers.

Paraphrases and different questions are from Pirá (C4AI, CC0); the opposites are ours (``rag_lab/questions.py``).
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from benchmarks.peers.rag.work import seconds
from benchmarks.rag_lab.questions import OPPOSITES, paraphrases, read_pira
from jarvisperf.rag import ModelOptions, SentenceTransformerEmbedder
from jarvisperf.rag.answers.paraphrases import SemanticTier
from jarvisperf.rag.embedding.cache import EmbeddingCache, vector_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Pairs: TypeAlias = "dict[str, list[tuple[str, str]]]"
THRESHOLD = 0.9


def compared(pira: Path, ask_redisvl: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Ask both caches the same questions, and store the same vectors in both embedding caches.

    Args:
        pira: The folder of Pirá's ``test.csv``.
        ask_redisvl: Runs ``with_redisvl.py`` on a folder and returns its figures.
    """
    pairs = _pairs(pira)
    listed = sorted({text for both in pairs.values() for one in both for text in one})
    rows = SentenceTransformerEmbedder(options=ModelOptions(dtype="float32")).embed_queries(listed)
    vectors = dict(zip(listed, rows, strict=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, pairs, vectors)
        theirs = ask_redisvl(folder)
        ours: dict[str, Any] = {
            "kinds": {kind: _asked(both, vectors) for kind, both in pairs.items()},
            "vectors": _vectors(vectors, folder / "vectors.db"),
        }
    return {
        name: {
            "kinds": {kind: _counted(both, found["kinds"][kind]) for kind, both in pairs.items()},
            "vectors": found["vectors"],
        }
        for name, found in (("JarvisPerf", ours), ("RedisVL", theirs))
    }


def _pairs(pira: Path) -> Pairs:
    rows = read_pira(pira)
    different = list(dict.fromkeys(row["question_en_origin"] for row in rows))
    half = len(different) // 2
    return {
        "paraphrases": list(paraphrases(rows)),
        "opposites": list(OPPOSITES),
        "different questions": list(zip(different[:half], different[half : 2 * half], strict=True)),
    }


def _write(folder: Path, pairs: Pairs, vectors: dict[str, NDArray[np.float32]]) -> None:
    names = {text: str(number) for number, text in enumerate(vectors)}
    np.savez(folder / "vectors.npz", **{names[text]: row for text, row in vectors.items()})  # type: ignore[arg-type]
    kinds = {
        kind: {"remembered": [one for one, _ in both], "asked": [other for _, other in both]}
        for kind, both in pairs.items()
    }
    (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")
    (folder / "kinds.json").write_text(json.dumps(kinds), encoding="utf-8")


def _asked(both: list[tuple[str, str]], vectors: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    tier = SemanticTier(THRESHOLD)
    for one, _ in both:
        tier.remember(one, vectors[one], None)
    taken_for: list[str | None] = []
    times = []
    for _, other in both:
        start = time.perf_counter()
        taken_for.append(tier.similar(other, vectors[other], None))
        times.append(time.perf_counter() - start)
    return {"taken_for": taken_for, "seconds": statistics.median(times)}


def _vectors(vectors: dict[str, NDArray[np.float32]], file: Path) -> dict[str, float]:
    cache = EmbeddingCache(file)
    keys = {vector_key("minilm", "query", text): row.tobytes() for text, row in vectors.items()}
    stored = seconds(lambda: cache.put(keys))
    got = [seconds(partial(_read, cache, list(vectors))) for _ in range(5)]
    cache.close()
    return {"texts": len(vectors), "store": stored, "get": statistics.median(got)}


def _read(cache: EmbeddingCache, texts: list[str]) -> None:
    found = cache.get([vector_key("minilm", "query", text) for text in texts])
    assert all(len(np.frombuffer(row, dtype=np.float32)) for row in found.values())


def _counted(both: list[tuple[str, str]], found: dict[str, Any]) -> dict[str, Any]:
    """Count the questions that were taken for their own pair's first one, and for others."""
    own: dict[str, set[str]] = {}
    for one, other in both:
        own.setdefault(other, set()).add(one)
    answers = list(zip(both, found["taken_for"], strict=True))
    taken = [answer in own[other] for (_, other), answer in answers if answer is not None]
    return {"of": len(both), "own": sum(taken), "other": len(taken) - sum(taken), "seconds": found["seconds"]}
