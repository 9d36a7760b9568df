"""Tests which modules an import may load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "chromadb", "matplotlib", "scipy", "numpy")
HEAVY += ("redis", "diskcache", "platformdirs", "fsspec", "ruptures", "msgspec", "rich", "jinja2", "pyinstrument")
OF_A_PLAIN_RUN = (*HEAVY, "asyncio", "jarvisperf.measure", "jarvisperf.profiles", "pytest_jarvisperf.options")
OF_A_PLAIN_RUN += ("pytest_jarvisperf.markers.jarvis", "pytest_jarvisperf.state", "pytest_jarvisperf.sessions")


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
    code = f"import sys, pytest_jarvisperf.plugin; print([name for name in {OF_A_PLAIN_RUN!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_measures_loads_no_event_loop_before_there_is_a_coroutine():
    code = (
        "import sys, jarvisperf.measure.targets, pytest_jarvisperf.arms.worker, pytest_jarvisperf.sessions.lockstep; "
    )
    code += "from jarvisperf.measure.targets import FunctionTarget; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


WHAT_IS_LOADED = """
import sys

before_the_finder = {
    "pytest_jarvisperf", "pytest_jarvisperf.plugin", "pytest_jarvisperf.start", "pytest_jarvisperf.start.plain_imports"
}

def test_what_is_loaded():
    ours = [name for name in sys.modules if name.split(".")[0] in {"jarvisperf", "pytest_jarvisperf"}]
    rewritten = [name for name in ours if type(sys.modules[name].__loader__).__name__ == "AssertionRewritingHook"]
    assert not [name for name in unwanted if name in ours]
    assert not [name for name in rewritten if name not in before_the_finder]
"""


@pytest.fixture
def marked_for_rewriting(pytester: pytest.Pytester, as_installed: None) -> tuple[str, str]:
    """Mark our packages for rewriting early, as pytest does with a distribution that is not an editable install."""
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makepyfile(early="import pytest\npytest.register_assert_rewrite('jarvisperf', 'pytest_jarvisperf')")
    return "-p", "early"


def test_a_session_without_benchmarks_loads_little_and_rewrites_none_of_it(
    pytester: pytest.Pytester, marked_for_rewriting: tuple[str, str]
):
    pytester.makepyfile(f"unwanted = {OF_A_PLAIN_RUN!r}\n{WHAT_IS_LOADED}")
    pytester.runpytest_subprocess(*marked_for_rewriting).assert_outcomes(passed=1)


def test_the_contract_that_users_subclass_is_rewritten_so_that_its_assertions_explain_themselves(
    pytester: pytest.Pytester, marked_for_rewriting: tuple[str, str]
):
    pytester.makepyfile(
        "from jarvisperf.cache.testing import contract\n"
        "def test_it(): assert type(contract.__loader__).__name__ == 'AssertionRewritingHook'"
    )
    pytester.runpytest_subprocess(*marked_for_rewriting).assert_outcomes(passed=1)


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
