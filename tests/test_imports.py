"""Tests which modules an import may load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "chromadb", "matplotlib", "scipy", "numpy")
HEAVY += ("redis", "diskcache", "platformdirs", "fsspec", "ruptures", "msgspec", "rich", "jinja2", "pyinstrument")
OF_A_PLAIN_RUN = (*HEAVY, "asyncio", "pytest_jarvisperf.sessions", "jarvisperf.measure.sampling")


@pytest.mark.parametrize(
    "module",
    [
        "jarvisperf",
        "jarvisperf.cache",
        "jarvisperf.rag",
        "jarvisperf.bench",
        "jarvisperf.report",
        "pytest_jarvisperf.plugin",
    ],
)
def test_an_import_loads_nothing_heavy(module: str):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_plugin_loads_nothing_that_only_measuring_needs():
    loaded = f"[name for name in {OF_A_PLAIN_RUN!r} if name in sys.modules]"
    code = f"import sys, pytest_jarvisperf.plugin, pytest_jarvisperf.fixtures; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "package", ["jarvisperf", "jarvisperf.cache", "jarvisperf.rag", "jarvisperf.bench", "jarvisperf.runs"]
)
def test_every_public_name_is_there(package: str):
    module = __import__(package, fromlist=["*"])
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    import jarvisperf

    with pytest.raises(AttributeError, match="'jarvisperf' has no attribute 'nothing'"):
        jarvisperf.nothing  # noqa: B018
