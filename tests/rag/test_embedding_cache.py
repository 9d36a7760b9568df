from __future__ import annotations

import numpy as np
import pytest

from jarvisperf.rag.embedding.cache import EmbeddingCache, vector_key
from jarvisperf.rag.embedding.documents import document_vectors


@pytest.fixture
def file(tmp_path):
    return tmp_path / "vectors.sqlite"


@pytest.fixture
def cache(file):
    cache = EmbeddingCache(file)
    yield cache
    cache.close()


def test_a_known_vector_is_not_computed_again_and_comes_back_bit_by_bit(cache, embedder):
    first, computed = document_vectors(["cats", "dogs"], embedder, cache)
    again, computed_again = document_vectors(["dogs", "cats", "birds"], embedder, cache)
    assert (computed, computed_again) == (2, 1)
    assert embedder.documents == ["cats", "dogs", "birds"]
    assert (again[:2] == first[::-1]).all()


def test_equal_texts_in_a_batch_are_embedded_once(cache, embedder):
    rows, computed = document_vectors(["cats", "dogs", "cats"], embedder, cache)
    assert computed == 2
    assert (rows[0] == rows[2]).all()
    assert len(document_vectors(["cats", "cats"], embedder, None)[0]) == 2


def test_vectors_outlive_the_process(cache, file, embedder):
    document_vectors(["cats"], embedder, cache)
    cache.close()
    other = EmbeddingCache(file)
    assert document_vectors(["cats"], embedder, other)[1] == 0
    other.close()


def test_another_model_role_or_text_is_another_vector():
    keys = {vector_key(*parts) for parts in [("m", "r", "t"), ("n", "r", "t"), ("m", "s", "t"), ("m", "r", "u")]}
    assert len(keys | {vector_key("mr", "", "t"), vector_key("m", "", "rt")}) == 6


def test_a_vector_takes_four_bytes_a_number(cache, embedder):
    (row,), _ = document_vectors(["cats"], embedder, cache)
    key = vector_key(embedder.identity, "document", "cats")
    assert cache.get([key]) == {key: row.astype(np.float32).tobytes()}


def test_the_oldest_vectors_go_when_there_is_no_room(file):
    cache = EmbeddingCache(file, max_bytes=10 * (16 + 4))
    for number in range(200):
        cache.put({vector_key("m", "r", str(number)): b"abcd"})
    there = [number for number in range(200) if cache.get([vector_key("m", "r", str(number))])]
    assert there[-1] == 199
    assert len(there) < 100
    cache.close()


def test_a_broken_file_costs_speed_only_and_is_logged_once(file, embedder, caplog):
    file.write_bytes(b"no database" * 100)
    cache = EmbeddingCache(file)
    for _ in range(2):
        rows, computed = document_vectors(["cats"], embedder, cache)
        assert (len(rows), computed) == (1, 1)
    assert [record.message for record in caplog.records if "embedding cache" in record.message] == [
        f"embedding cache {file} unusable; texts will be embedded again: file is not a database"
    ]


def test_an_embedder_without_an_identity_is_asked_each_time(cache, word_embedder):
    unknown = word_embedder(None)
    assert [document_vectors(["cats"], unknown, cache)[1] for _ in range(2)] == [1, 1]


def test_vectors_that_were_cached_with_another_dimension_are_computed_again(cache, word_embedder):
    document_vectors(["cats", "dogs"], word_embedder(dimensions=8), cache)
    rows, computed = document_vectors(["cats", "dogs", "birds"], word_embedder(dimensions=4), cache)
    assert rows.shape == (3, 4)
    assert computed == 3
