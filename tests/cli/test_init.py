"""Tests `jarvisperf init`: it finds what a project uses, shows what it would change, and never gates nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from git_project import GitProject

from jarvisperf.cli.init import command
from jarvisperf.cli.init.benchmarks import find_benchmarks, pytest_words
from jarvisperf.cli.init.own_source import local_source, own_source, source_of
from jarvisperf.cli.init.pytest_settings import read_pytest_settings
from jarvisperf.cli.main import main

FIXTURE = "def test_speed(benchmark):\n    benchmark(sum, [1])\n"
MARKED = "import pytest\n\n@pytest.mark.benchmark\ndef test_speed():\n    sum([1])\n"
PLAIN = "def test_plain():\n    benchmark = 1\n\ndef fixture(jarvis_bench):\n    pass\n"
SOURCE = "git+https://host/owner/jarvisperf@0123"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "own_source", lambda: SOURCE)
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def init(*words: str) -> int:
    return main(["init", "--yes", *words])


def state(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


class Terminal:
    """Standard input or output that says it is a terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def as_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(sys, name, Terminal(getattr(sys, name)))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_without_a_terminal_and_without_yes_it_shows_the_changes_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    write(**{"tests/test_a.py": FIXTURE})
    before = state(project)
    assert main(["init"]) == 1
    out, err = capsys.readouterr()
    assert state(project) == before
    assert "+++ b/.github/workflows/benchmarks.yml" in out
    assert "python -m pytest tests --jarvis-bench --jarvis-against HEAD^1" in out
    assert "\x1b" not in out
    assert err == "jarvisperf: nothing written: there is no terminal to ask on; to write these changes, add --yes\n"


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("yes", 0), ("", 1), ("n", 1), ("q", 1), (None, 1)])
def test_on_a_terminal_it_asks_and_only_yes_is_yes(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str | None,
    status: int,
):
    def says(question: str) -> str:
        assert question == "Write .github/workflows/benchmarks.yml? [y/N] "
        if answer is None:
            raise EOFError
        return answer

    as_on_a_terminal(monkeypatch)
    monkeypatch.setattr("builtins.input", says)
    write(**{"tests/test_a.py": FIXTURE})
    assert main(["init"]) == status
    assert Path(".github/workflows/benchmarks.yml").exists() is (status == 0)
    assert "\x1b[32m+name: benchmarks\x1b[0m" in capsys.readouterr().out


@pytest.mark.parametrize("ci", ["github", "gitlab", "jenkins"])
def test_a_second_time_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str], ci: str):
    write(
        **{
            "tests/test_a.py": FIXTURE,
            ".gitlab-ci.yml": "stages: [build]\n",
            "pyproject.toml": '[dependency-groups]\ndev = ["jarvisperf"]\n[tool.pytest.ini_options]\n',
        }
    )
    assert init("--ci", ci) == 0
    before = state(project)
    capsys.readouterr()
    assert main(["init", "--ci", ci]) == 0
    assert state(project) == before
    assert "nothing to change" in capsys.readouterr().out


def test_a_suite_in_parts_is_measured_on_several_machines_and_merged(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "own_source", lambda: None)
    write(**{"tests/test_a.py": FIXTURE})
    assert init("--shards", "3") == 0
    jobs = workflow()["jobs"]
    assert jobs["benchmarks"]["strategy"] == {"fail-fast": False, "matrix": {"shard": [1, 2, 3]}}
    assert jobs["benchmarks"]["env"]["SHARD"] == "${{ matrix.shard }}/3"
    assert '--jarvis-shard "$SHARD"' in script("github")[-1]
    assert jobs["benchmarks"]["steps"][-1]["with"]["name"] == "benchmarks-part-${{ matrix.shard }}"
    merge = jobs["benchmarks-merge"]
    assert (merge["needs"], merge["env"]) == ("benchmarks", {"JARVISPERF": "${{ vars.JARVISPERF }}"})
    assert merge["steps"][1]["with"] == {"pattern": "benchmarks-part-*", "path": "parts"}
    assert "jarvisperf merge parts/*/report.json --out reports" in merge["steps"][2]["run"].splitlines()
    Path(".github/workflows/benchmarks.yml").unlink()
    assert init("--shards", "3", "--ci", "gitlab") == 0
    jobs = yaml.safe_load(Path(".gitlab-ci.yml").read_text())
    assert jobs["benchmarks"]["parallel"] == 3
    assert (
        '--jarvis-shard "$CI_NODE_INDEX/$CI_NODE_TOTAL" --jarvis-report "reports/part-$CI_NODE_INDEX"'
        in (script("gitlab")[-1])
    )
    assert jobs["benchmarks-merge"]["script"][-1] == "jarvisperf merge reports/part-*/report.json --out reports/whole"
    assert jobs["benchmarks-merge"]["artifacts"]["reports"] == {"metrics": "reports/whole/metrics.txt"}
    Path(".gitlab-ci.yml").unlink()
    assert init("--shards", "3", "--ci", "jenkins") == 1
    assert "--shards writes a matrix for github or gitlab, not for jenkins" in capsys.readouterr().err


def test_an_existing_file_of_that_name_stays(project: Path):
    write(**{"tests/test_a.py": FIXTURE, ".github/workflows/benchmarks.yml": "name: theirs\n"})
    assert init() == 0
    assert Path(".github/workflows/benchmarks.yml").read_text() == "name: theirs\n"
    assert "--jarvis-against" in Path(".github/workflows/jarvisperf.yml").read_text()


def test_a_file_that_changed_after_it_was_shown_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    write(**{"tests/test_a.py": FIXTURE})

    def edits(_: str) -> str:
        write(**{".github/workflows/benchmarks.yml": "name: theirs\n"})
        return "y"

    as_on_a_terminal(monkeypatch)
    monkeypatch.setattr("builtins.input", edits)
    assert main(["init"]) == 1
    assert "benchmarks.yml has changed since it was shown; run jarvisperf init again" in capsys.readouterr().err
    assert Path(".github/workflows/benchmarks.yml").read_text() == "name: theirs\n"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"tests/test_a.py": FIXTURE, "tests/test_b.py": PLAIN}, "tests"),
        ({"tests/speed/test_a.py": MARKED, "tests/test_b.py": PLAIN}, "tests/speed"),
        ({"perf/test_a.py": FIXTURE, "perf/deep/test_b.py": FIXTURE, "more/a_test.py": MARKED}, "more perf"),
        ({"test_a.py": "async def test_a(*, jarvis_bench): ..."}, "."),
        ({"perf/bench_a.py": FIXTURE}, "perf/bench_a.py"),
        ({"perf/bench_a.py": FIXTURE, "pytest.ini": "[pytest]\npython_files = bench_*.py"}, "perf"),
        ({"perf/bench_a.py": FIXTURE, "setup.cfg": "[tool:pytest]\npython_files = bench_*.py test_*.py"}, "perf"),
        ({"perf/bench_a.py": FIXTURE, "pytest.toml": "[pytest]\npython_files = ['bench_*.py']"}, "perf"),
        ({"my perf/test_a.py": "pytestmark = pytest.mark.jarvis_bench(group='x')"}, "'my perf'"),
    ],
)
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_ci_file_measures_the_projects_own_benchmarks(
    project: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], words: str, ci: str
):
    write(**files)
    assert init("--ci", ci) == 0
    assert f"python -m pytest {words} --jarvis-bench --jarvis-against " in script(ci)[-1]
    assert not (project / "benchmarks/test_example.py").exists()
    shown = capsys.readouterr().out
    assert "found benchmarks in " in shown
    assert f"  python -m pytest {words} --jarvis-bench " in shown


def test_testpaths_go_first_and_folders_that_pytest_does_not_enter_are_passed_over(project: Path):
    write(
        **{
            "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["check*"]\n',
            "checks/test_a.py": FIXTURE,
            "examples/test_b.py": FIXTURE,
        }
    )
    assert found(project) == [Path("checks/test_a.py")]
    write(**{"checks/test_a.py": PLAIN})
    assert found(project) == [Path("examples/test_b.py")]
    (project / "examples/test_b.py").unlink()
    write(
        **{
            "env/pyvenv.cfg": "",
            "env/lib/test_c.py": FIXTURE,
            ".hidden/test_c.py": FIXTURE,
            "build/test_c.py": FIXTURE,
            "broken/test_c.py": "def test_(benchmark:",
            "notes/test_c.txt": FIXTURE,
        }
    )
    assert found(project) == []


def test_a_configuration_that_cannot_be_read_is_left_to_pytest(project: Path):
    write(**{"pytest.ini": "pytest]", "tests/test_a.py": FIXTURE})
    assert pytest_words(found(project), read_pytest_settings(project)) == ["tests"]


def test_a_project_without_benchmarks_gets_one_of_its_own_functions(project: Path):
    write(
        **{
            "src/shop/__init__.py": "",
            "src/shop/basket.py": "import os\n\ndef _hidden(a: int) -> int:\n    return a\n\n"
            "def remove_all(path: str) -> int:\n    return os.system(path)\n\n"
            "def total(prices: list[float], *, tax: float) -> float:\n    return sum(prices) * tax\n",
            "src/shop/cli.py": "def words(text: str) -> list[str]:\n    return text.split()\n",
            "tests/test_a.py": "def test_a():\n    pass\n",
        }
    )
    assert init() == 0
    assert found(project) == [Path("benchmarks/test_example.py")]
    text = Path("benchmarks/test_example.py").read_text()
    assert "from shop.basket import total\n" in text
    assert "jarvis_bench(total, [number / 7 for number in range(1000)], tax=1.5)" in text
    assert "python -m pytest benchmarks --jarvis-bench" in script("github")[-1]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=src"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_file_that_git_ignores_is_not_gated(project: Path, capsys: pytest.CaptureFixture[str]):
    subprocess.run(["git", "init", "-q"], check=True)
    write(
        **{
            ".gitignore": "benchmarks\n",
            "shop.py": "def total(prices: list[float]) -> float:\n    return sum(prices)\n",
        }
    )
    assert init("--ci", "none") == 0
    assert found(project) == [Path("performance/test_example.py")]
    Path("performance/test_example.py").unlink()
    write(**{"benchmarks/test_a.py": FIXTURE})
    assert init() == 1
    err = capsys.readouterr().err
    assert err == "jarvisperf: git ignores benchmarks/test_a.py, so CI would not have it; adapt .gitignore first\n"


def test_a_gate_that_would_measure_nothing_is_refused(project: Path, capsys: pytest.CaptureFixture[str]):
    write(**{"shop.py": "def main(argv):\n    return 1\n\ndef load(path: str) -> str:\n    return open(path).read()\n"})
    before = state(project)
    assert init() == 1
    assert state(project) == before
    err = capsys.readouterr().err
    assert err.startswith(
        "jarvisperf: found no benchmarks, and no function of the project to propose one for; write a test"
    )
    assert err.count("\n") == 1


ASV_SUITE = {
    "asv.conf.json": '{\n  // where\n  "benchmark_dir": "speed",\n}\n',
    "speed/__init__.py": "",
    "speed/sorting.py": "class Sort:\n    params = [[10, 20], ['a']]\n"
    "    def setup(self, n, _):\n        self.values = list(range(n))\n"
    "    def time_sorted(self, n, _):\n        assert len(sorted(self.values)) == n\n\n"
    "class Once:\n    number = 1\n    def setup(self):\n        self.left = [1]\n"
    "    def time_pop(self):\n        self.left.pop()\n\n"
    "class Cached:\n    def setup_cache(self):\n        return [3, 1, 2]\n"
    "    def time_sorted(self, values):\n        sorted(values)\n\n"
    "class Absent:\n    def setup(self):\n        raise NotImplementedError\n"
    "    def time_nothing(self):\n        pass\n\n"
    "def time_sum():\n    sum(range(10))\n\ndef mem_list():\n    return []\n",
    "speed/shared.py": "import pathlib\n\ncalls = []\n\ndef setup(*values):\n    calls.append('module')\n\n"
    "class _Base:\n    def time_abstract(self):\n        raise AssertionError\n\n"
    "class Sizes:\n    params = [object(), object(), len]\n    skip_params = [(len,)]\n"
    "    def setup_cache(self):\n        pathlib.Path('made').write_text('x')\n"
    "        assert calls.append('cache') is None and calls.count('cache') == 1\n        return {'left': 1}\n"
    "    def setup(self, cache, _):\n        assert calls[-1] == 'module' and cache.pop('left')\n"
    "    def time_read(self, cache, _):\n        assert pathlib.Path('made').read_text() == 'x'\n"
    "    def teardown(self, cache, _):\n        cache.clear()\n\n"
    "def peakmem_list():\n    [0] * 100_000\n",
}


def test_an_asv_suite_is_run_through_one_file(project: Path):
    write(**ASV_SUITE)
    assert init() == 0
    assert "python -m pytest speed --jarvis-bench" in script("github")[-1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "speed", "-v", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "8 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    for name in (
        "sorting.Sort.time_sorted(10, a)",
        "sorting.Once.time_pop",
        "sorting.time_sum",
        "shared.Sizes.time_read(<object object>)",
        "shared.Sizes.time_read(<object object>)#2",
        "shared.peakmem_list",
    ):
        assert f"test_asv[{name}] PASSED" in done.stdout


def test_asv_benchmarks_that_pytest_cannot_run_are_counted(project: Path, capsys: pytest.CaptureFixture[str]):
    write(**ASV_SUITE)
    assert init() == 0
    found = capsys.readouterr().out.splitlines()[0]
    assert found == "found asv benchmarks in speed; test_asv.py lets pytest run them, except 1 (mem_)"


def test_an_asv_suite_of_which_nothing_can_be_run_is_named(project: Path, capsys: pytest.CaptureFixture[str]):
    write(**{"asv.conf.json": "{}", "benchmarks/speed.py": "def track_size():\n    return 1\n"})
    init()
    output = "".join(capsys.readouterr())
    assert "the asv suite in benchmarks has only benchmarks of kinds that pytest cannot run (track_)" in output


def test_an_asv_suite_is_compared_in_lockstep(pytester: pytest.Pytester):
    project = GitProject(pytester)
    write(**ASV_SUITE)
    assert init() == 0
    project.commit()
    words = ("--jarvis-against=HEAD", "--jarvis-launches=2", "--jarvis-budget=0.1", "--jarvis-threshold=900%")
    result = project.run("speed", "--jarvis-bench", "-p", "no:asyncio", *words)
    result.assert_outcomes(passed=8, skipped=1)
    benchmarks = json.loads((project.root / "reports/report.json").read_text())["benchmarks"]
    metrics = [(name, metric["verdict"]) for one in benchmarks for name, metric in one["metrics"].items()]
    assert {verdict for _, verdict in metrics} <= {"unchanged", "inconclusive"}
    assert [name for name, _ in metrics].count("memory") == 1
    assert {"name": "'sorting.Once.time_pop'"} in [one["params"] for one in benchmarks]


@pytest.mark.parametrize(
    ("files", "install", "starts"),
    [
        ({}, [], "python"),
        ({"requirements.txt": ""}, ["python -m pip install -r requirements.txt"], "python"),
        ({"requirements-dev.txt": "pytest>=8\n"}, ["python -m pip install -r requirements-dev.txt"], "python"),
        ({"pyproject.toml": "[tool.ruff]\n"}, [], "python"),
        ({"pyproject.toml": "[project]\n"}, ["python -m pip install -e ."], "python"),
        ({"setup.py": "", "requirements.txt": ""}, ["python -m pip install -e ."], "python"),
        (
            {"pyproject.toml": '[project]\n[project.optional-dependencies]\ntest = ["pytest"]\ndocs = ["sphinx"]\n'},
            ["python -m pip install -e '.[test]'"],
            "python",
        ),
        (
            {
                "pyproject.toml": '[project]\n[dependency-groups]\nall = [{include-group = "test"}, "mypy"]\n'
                'test = ["pytest"]\n'
            },
            ["python -m pip install --upgrade pip", "python -m pip install -e . --group test"],
            "python",
        ),
        (
            {"uv.lock": "", "pyproject.toml": '[project]\n[dependency-groups]\nspeed = ["pytest-benchmark"]\n'},
            ["python -m pip install uv", "uv sync --frozen --group speed"],
            "uv run --no-sync python",
        ),
        (
            {"uv.lock": "", "pyproject.toml": '[project]\n[tool.uv.workspace]\nmembers = ["packages/*"]\n'},
            ["python -m pip install uv", "uv sync --frozen --all-packages"],
            "uv run --no-sync python",
        ),
        (
            {
                "poetry.lock": "",
                "pyproject.toml": "[tool.poetry.group.test]\noptional = true\n"
                '[tool.poetry.group.test.dependencies]\npytest = "^8"\n',
            },
            ["python -m pip install poetry", "poetry install --with test"],
            "poetry run python",
        ),
        (
            {"pdm.lock": "", "pyproject.toml": '[project]\n[dependency-groups]\ntest = ["pytest"]\n'},
            ["python -m pip install pdm", "pdm install -G test", "pdm run python -m ensurepip"],
            "pdm run python",
        ),
        (
            {"pyproject.toml": '[project]\n[tool.hatch.envs.speed]\ndependencies = ["pytest-codspeed"]\n'},
            ["python -m pip install hatch", "hatch env create speed"],
            "hatch run speed:python",
        ),
        (
            {"tox.ini": "[testenv]\ncommands = pytest\n[testenv:bench]\ncommands = pytest --codspeed\n"},
            ["python -m pip install tox", "tox run -e bench --notest"],
            ".tox/bench/bin/python",
        ),
        (
            {"tox.toml": '[env_run_base]\ncommands = [["pytest"]]\n'},
            ["python -m pip install tox", "tox run -e py --notest"],
            ".tox/py/bin/python",
        ),
        (
            {
                "noxfile.py": "import nox\n\n@nox.session(python=['3.11', '3.12'])\n"
                "def tests(session):\n    session.run('pytest')\n"
            },
            ["python -m pip install nox uv", "nox --session tests-3.12 --install-only"],
            ".nox/tests-3-12/bin/python",
        ),
    ],
)
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_job_installs_and_runs_as_the_project_does(
    project: Path, files: dict[str, str], install: list[str], starts: str, ci: str
):
    write(**files, **{"tests/test_a.py": FIXTURE})
    assert init("--ci", ci) == 0
    commands = script(ci)
    assert commands[: len(install)] == install
    assert commands[len(install)].endswith(f"pip install{ADDS_TO.get(starts, '')} {SOURCE}")
    assert commands[-1].startswith(f"{starts} -m pytest tests --jarvis-bench --jarvis-against ")


ADDS_TO = {".nox/tests-3-12/bin/python": " --python .nox/tests-3-12"}


@pytest.mark.parametrize(("allowed", "python"), [(">=3.9", "3.12"), (">=3.13", "3.13"), ("<3.12,>=3.8", "3.11")])
def test_the_job_uses_a_python_that_the_project_allows(project: Path, allowed: str, python: str):
    write(**{"tests/test_a.py": FIXTURE, "pyproject.toml": f'[project]\nrequires-python = "{allowed}"\n'})
    assert init() == 0
    steps = workflow()["jobs"]["benchmarks"]["steps"]
    assert [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")] == [python]


def test_a_project_for_older_pythons_alone_is_told_so(project: Path, capsys: pytest.CaptureFixture[str]):
    write(**{"tests/test_a.py": FIXTURE, "pyproject.toml": '[project]\nrequires-python = ">=3.8,<3.11"\n'})
    assert init() == 1
    assert "requires-python is '>=3.8,<3.11' in pyproject.toml; jarvisperf needs Python 3.11" in capsys.readouterr().err


def test_the_job_of_a_tox_environment_has_the_python_that_it_insists_on(project: Path):
    write(**{"tests/test_a.py": FIXTURE, "tox.ini": "[testenv:bench]\nbasepython = python3.13\ncommands = pytest\n"})
    assert init() == 0
    assert '"3.13"' in Path(".github/workflows/benchmarks.yml").read_text()


@pytest.mark.parametrize(
    ("requires", "build"),
    [
        ('"maturin>=1"', "python -m pip install ."),
        ('"Cython", "setuptools-scm>=8"', "env SETUPTOOLS_SCM_PRETEND_VERSION=0 python -m pip install ."),
    ],
)
def test_compiled_code_is_built_for_each_side(project: Path, requires: str, build: str):
    write(**{"tests/test_a.py": FIXTURE, "pyproject.toml": f"[build-system]\nrequires = [{requires}]\n"})
    assert init() == 0
    assert f"--jarvis-arm-install '{build}'" in script("github")[-1]


@pytest.mark.parametrize(
    ("file", "section", "line"),
    [
        ("pyproject.toml", "[tool.pytest.ini_options]", 'jarvis_threshold = "5%"'),
        ("pyproject.toml", "[tool.pytest]", 'jarvis_threshold = "5%"'),
        ("pytest.toml", "[pytest]", 'jarvis_threshold = "5%"'),
        ("pytest.ini", "[pytest]", "jarvis_threshold = 5%"),
        ("tox.ini", "[pytest]", "jarvis_threshold = 5%"),
        ("setup.cfg", "[tool:pytest]", "jarvis_threshold = 5%"),
    ],
)
def test_the_threshold_is_a_setting_where_the_plugin_is_installed_and_an_option_elsewhere(
    project: Path, file: str, section: str, line: str
):
    # pytest warns of settings of plugins that are not installed, and fails with --strict-config.
    toml = file.endswith(".toml")
    comment, version = ("  # theirs, too", '"7"') if toml else ("", "7")
    write(**{file: f"# theirs\n{section}{comment}\nminversion = {version}\n"})
    before = Path(file).read_text()
    write(**{"tests/test_a.py": FIXTURE})
    assert init() == 0
    assert Path(file).read_text() == before
    assert "--jarvis-threshold 5%" in script("github")[-1]
    Path(".github/workflows/benchmarks.yml").unlink()
    write(**{"requirements.txt": "pytest\njarvisperf\n"})
    assert init() == 0
    after = Path(file).read_text()
    assert [one for one in after.splitlines() if one not in before.splitlines()][-1] == line
    assert [one for one in after.splitlines() if one in before.splitlines()] == before.splitlines()
    assert "--jarvis-threshold" not in script("github")[-1]
    assert read_pytest_settings(project).values["jarvis_threshold"] == "5%"


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ({".github/workflows/test.yml": ""}, "CI: github\n"),
        ({".gitlab-ci.yml": ""}, "CI: gitlab\n"),
        ({"Jenkinsfile": ""}, "CI: jenkins\n"),
        ({".github/workflows/test.yml": "", ".gitlab-ci.yml": ""}, "CI: github; gitlab found, too: --ci gitlab\n"),
    ],
)
def test_the_ci_in_use_is_found(project: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], shown: str):
    write(**files, **{"tests/test_a.py": FIXTURE})
    init()
    assert shown in capsys.readouterr().out


def test_the_workflow_of_a_folder_in_a_repository_is_where_github_reads_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    folders = ("api-web", "api", "web site")
    subprocess.run(["git", "init", "-q"], check=True)
    write(**{f"services/{name}/tests/test_a.py": FIXTURE for name in folders})
    for name in folders:
        monkeypatch.chdir(project / "services" / name)
        assert init() == 0
        assert init() == 0  # it finds its own, not that of another folder
    assert not list(project.glob("services/*/.github"))
    workflows = {path.name: yaml.safe_load(path.read_text()) for path in (project / ".github/workflows").iterdir()}
    assert set(workflows) == {f"benchmarks-services-{name}.yml" for name in ("api-web", "api", "web-site")}
    workflow = workflows["benchmarks-services-web-site.yml"]
    job = workflow["jobs"]["benchmarks"]
    assert job["defaults"] == {"run": {"working-directory": "services/web site"}}
    assert job["steps"][-1]["with"]["path"] == "services/web site/reports"
    groups = {each["concurrency"]["group"] for each in workflows.values()}
    assert len(groups) == len(workflows), "the job of one folder would cancel that of the other"


@pytest.mark.parametrize("ci", ["gitlab", "jenkins"])
def test_a_job_that_the_ci_would_not_find_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str
):
    subprocess.run(["git", "init", "-q"], check=True)
    write(**{"services/api/tests/test_a.py": FIXTURE})
    monkeypatch.chdir(project / "services/api")
    assert init("--ci", ci) == 1
    assert (
        f"services/api is a folder of a git repository, and {ci} reads its file at the top" in capsys.readouterr().err
    )
    assert not list(project.rglob("*.yml"))


def test_a_jenkinsfile_is_not_edited_but_its_stage_is_shown(project: Path, capsys: pytest.CaptureFixture[str]):
    write(**{"tests/test_a.py": FIXTURE, "Jenkinsfile": "pipeline {}\n"})
    assert init() == 0
    out = capsys.readouterr().out
    assert Path("Jenkinsfile").read_text() == "pipeline {}\n"
    assert "stage('Benchmarks') {" in out
    assert 'python -m pytest tests --jarvis-bench --jarvis-against "origin/${CHANGE_TARGET:-main}"' in out


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("", None),
        ("stages: [build, test]\n", None),
        ("stages: [lint, perf]\n", "perf"),
        ("stages:\n  - build # first\n  - 'unit-tests'\n  - deploy\njob:\n  script: [make]\n", "unit-tests"),
    ],
)
def test_the_gitlab_job_belongs_to_a_stage_that_exists(project: Path, text: str, stage: str | None):
    write(**{"tests/test_a.py": FIXTURE, ".gitlab-ci.yml": text})
    assert init() == 0
    job = yaml.safe_load(Path(".gitlab-ci-benchmarks.yml").read_text())["benchmarks"]
    assert job.get("stage") == stage


@pytest.mark.parametrize(
    "text", ["", "include:\n  - local: a.yml\njob:\n  script: [make]\n", "include:\n- template: a.yml\n"]
)
def test_the_gitlab_job_is_included(project: Path, text: str):
    write(**{"tests/test_a.py": FIXTURE, ".gitlab-ci.yml": text})
    assert init() == 0
    whole = yaml.safe_load(Path(".gitlab-ci.yml").read_text())
    before = (yaml.safe_load(text) or {}).get("include", [])
    assert sorted(map(str, whole["include"])) == sorted(map(str, [{"local": ".gitlab-ci-benchmarks.yml"}, *before]))


def test_an_include_of_another_form_is_left_to_its_owner(project: Path, capsys: pytest.CaptureFixture[str]):
    write(**{"tests/test_a.py": FIXTURE, ".gitlab-ci.yml": "include: a.yml\n"})
    assert init() == 0
    assert Path(".gitlab-ci.yml").read_text() == "include: a.yml\n"
    assert "add to .gitlab-ci.yml, under include: - local: .gitlab-ci-benchmarks.yml" in capsys.readouterr().out


def test_the_workflow_has_few_privileges_and_pinned_actions(project: Path):
    write(**{"tests/test_a.py": FIXTURE, ".gitmodules": ""})
    assert init() == 0
    whole = workflow()
    assert whole["permissions"] == {"contents": "read"}
    assert whole[True] == {"pull_request": None}  # YAML 1.1 reads `on` as true
    job = whole["jobs"]["benchmarks"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action)
    checkout = job["steps"][0]["with"]
    assert checkout == {"fetch-depth": 0, "persist-credentials": False, "submodules": "recursive"}
    assert not any("${{" in line for line in script("github"))  # nothing is pasted into a shell


def test_where_nobody_knows_from_where_to_install_a_variable_says_it_or_the_job_fails(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "own_source", lambda: None)
    write(**{"tests/test_a.py": FIXTURE})
    assert init() == 0
    assert "set the CI variable JARVISPERF to where pip finds jarvisperf, like git+https://" in capsys.readouterr().out
    assert workflow()["jobs"]["benchmarks"]["env"] == {"JARVISPERF": "${{ vars.JARVISPERF }}"}
    (line,) = [line for line in script("github") if "pip install" in line]
    without = subprocess.run(["sh", "-c", line], env={"JARVISPERF": ""}, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "JARVISPERF: is not set; set this CI variable to what pip should install" in without.stderr


@pytest.mark.parametrize("text", ["[tool", "[project]\nname = \n"])
def test_a_pyproject_that_is_not_toml_is_one_line(project: Path, capsys: pytest.CaptureFixture[str], text: str):
    write(**{"tests/test_a.py": FIXTURE, "pyproject.toml": text})
    assert init() == 1
    err = capsys.readouterr().err
    assert err.startswith("jarvisperf: pyproject.toml is not valid TOML: ")
    assert err.count("\n") == 1


def test_a_local_path_is_nothing_for_other_machines(tmp_path: Path):
    clone = tmp_path / "a clone"
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    record = {"url": clone.as_uri(), "dir_info": {"editable": True}}
    assert source_of(record) is None
    git = ["git", "-C", str(clone), "remote"]
    subprocess.run([*git, "add", "origin", "https://me:secret@host.example/owner/jarvisperf.git"], check=True)
    assert source_of(record) == "git+https://host.example/owner/jarvisperf.git"
    for unreachable in ("git@host.example:owner/jarvisperf.git", str(tmp_path), "https://host/$(reboot)"):
        subprocess.run([*git, "set-url", "origin", unreachable], check=True)
        assert source_of(record) is None


def test_a_repository_is_installed_at_the_same_commit_and_an_index_at_the_same_version(
    monkeypatch: pytest.MonkeyPatch,
):
    of_git: dict[str, Any] = {"url": "https://host/owner/jarvisperf", "vcs_info": {"vcs": "git", "commit_id": "0123"}}
    assert source_of(of_git) == "git+https://host/owner/jarvisperf@0123"
    assert source_of(of_git | {"url": "ssh://git@host/owner/jarvisperf"}) is None
    assert source_of({"url": "https://host/jarvisperf.whl", "archive_info": {}}) == "https://host/jarvisperf.whl"

    class Installed:
        version = "1.2"
        record: str | None = None

        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return self.record

    installed = Installed()
    monkeypatch.setattr("jarvisperf.cli.init.own_source.metadata.distribution", lambda _: installed)
    assert own_source() == "jarvisperf==1.2"
    assert local_source() == "jarvisperf==1.2"
    installed.record = json.dumps(of_git)
    assert own_source() == local_source() == "git+https://host/owner/jarvisperf@0123"
    installed.record = json.dumps({"url": "file:///home/me/a%20clone", "dir_info": {}})
    assert local_source() == "/home/me/a clone"


def found(project: Path) -> list[Path]:
    return find_benchmarks(project, read_pytest_settings(project))


def workflow() -> dict[Any, Any]:
    return yaml.safe_load(Path(".github/workflows/benchmarks.yml").read_text())


def script(ci: str) -> list[str]:
    """Read the commands of the CI file."""
    if ci == "gitlab":
        name = ".gitlab-ci-benchmarks.yml" if Path(".gitlab-ci-benchmarks.yml").exists() else ".gitlab-ci.yml"
        return yaml.safe_load(Path(name).read_text())["benchmarks"]["script"]
    steps = workflow()["jobs"]["benchmarks"]["steps"]
    return [line for step in steps if "run" in step for line in step["run"].splitlines()]
