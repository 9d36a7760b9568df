from __future__ import annotations

import pytest

from jarvisperf.rag import ModelOptions, embedder_for
from jarvisperf.rag.embedding.options import lists_bfloat16

WITH = "processor : 0\nflags : fpu avx512f avx512_bf16\n"
ARM = "processor : 0\nFeatures : fp asimd bf16\n"
WITHOUT = "processor : 0\nflags : fpu avx512f avx2\n"


@pytest.fixture
def cpu(monkeypatch):
    return lambda has: monkeypatch.setattr("jarvisperf.rag.embedding.options.has_bfloat16", lambda: has)


@pytest.mark.parametrize(("facts", "has"), [(WITH, True), (ARM, True), (WITHOUT, False), ("", False)])
def test_bfloat16_in_hardware_is_read_from_the_kernels_list(facts, has):
    assert lists_bfloat16(facts) is has


def test_auto_is_bfloat16_only_where_the_cpu_has_it_and_torch_runs_on_it(cpu):
    cpu(True)
    assert ModelOptions().uses_bfloat16
    assert not ModelOptions(backend="onnx").uses_bfloat16
    assert not ModelOptions(device="cuda").uses_bfloat16
    assert not ModelOptions(dtype="float32").uses_bfloat16
    cpu(False)
    assert not ModelOptions().uses_bfloat16


def test_bfloat16_on_a_cpu_without_it_is_refused(cpu):
    cpu(False)
    with pytest.raises(ValueError, match=r"'bfloat16', but this CPU lacks hardware support.*give 'auto' or 'float32'"):
        ModelOptions(dtype="bfloat16")
    assert ModelOptions(dtype="bfloat16", device="cuda").uses_bfloat16


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"backend": "tensorflow"}, ValueError, "choose one of: torch, onnx, openvino"),
        ({"dtype": "int8"}, ValueError, "choose one of: auto, float32, bfloat16"),
        ({"dtype": "bfloat16", "backend": "onnx"}, ValueError, "only 'torch' supports it"),
        ({"device": 0}, TypeError, "device is 0: give a name such as 'cpu'"),
        ({"processes": 0}, ValueError, "processes is 0: give at least 1"),
        ({"processes": 2, "device": "cuda"}, ValueError, "processes is 2 .*'cuda': only 'torch' on the CPU"),
        ({"processes": 2, "backend": "onnx"}, ValueError, "processes is 2 with the backend 'onnx'"),
        ({"truncate_dim": 0}, ValueError, "truncate_dim is 0: give at least 1"),
        ({"prompts": "query: "}, TypeError, "prompts is 'query: '"),
        ({"prompts": {"passage": "x"}}, ValueError, "give strings for 'query', 'document' or both"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_loaded(given, error, message):
    with pytest.raises(error, match=message):
        ModelOptions(**given)


def test_whatever_changes_the_vectors_changes_the_identity(cpu):
    cpu(True)
    options = [
        ModelOptions(),
        ModelOptions(dtype="float32"),
        ModelOptions(backend="onnx"),
        ModelOptions(truncate_dim=64),
        ModelOptions(prompts={"query": "q: "}),
        ModelOptions(prompts={"document": "q: "}),
        ModelOptions(prompts={}),
    ]
    assert len({one.identity() for one in options}) == len(options)
    assert ModelOptions(dtype="bfloat16").identity() == ModelOptions().identity()


def test_options_beside_an_embedder_of_ones_own_are_refused(embedder):
    assert embedder_for(embedder, ModelOptions()) is embedder
    with pytest.raises(ValueError, match="model options do not apply to a given embedder"):
        embedder_for(embedder, ModelOptions(truncate_dim=3))
