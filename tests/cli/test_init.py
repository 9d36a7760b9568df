"""Tests `jarvisperf init`: it measures a project's existing benchmarks, and installs what can be installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jarvisperf.cli import init as starting
from jarvisperf.cli.existing_benchmarks import find_benchmarks, pytest_words
from jarvisperf.cli.main import main
from jarvisperf.cli.own_source import own_source, source_of

FIXTURE = "def test_speed(benchmark):\n    benchmark(sum, [1])\n"
MARKED = "import pytest\n\n@pytest.mark.benchmark\ndef test_speed():\n    sum([1])\n"
PLAIN = "def test_plain():\n    benchmark = 1\n\ndef fixture(jarvis_bench):\n    pass\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


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
    assert main(["init", "--ci", ci]) == 0
    assert f"python -m pytest {words} --jarvis-bench --jarvis-against " in script(ci)[-1]
    assert not (project / "benchmarks/test_example.py").exists()
    shown = capsys.readouterr().out
    assert "found benchmarks in " in shown
    assert f"next: pytest {words} --jarvis-bench\n" in shown


def test_testpaths_go_first_and_folders_that_pytest_does_not_enter_are_passed_over(project: Path):
    write(
        **{
            "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["check*"]\n',
            "checks/test_a.py": FIXTURE,
            "examples/test_b.py": FIXTURE,
        }
    )
    assert find_benchmarks(project) == [Path("checks/test_a.py")]
    write(**{"checks/test_a.py": PLAIN})
    assert find_benchmarks(project) == [Path("examples/test_b.py")]
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
    assert find_benchmarks(project) == []


def test_a_configuration_that_cannot_be_read_is_left_to_pytest(project: Path):
    write(**{"pyproject.toml": "[tool", "tests/test_a.py": FIXTURE})
    assert pytest_words(project, find_benchmarks(project)) == ["tests"]


def test_a_project_without_benchmarks_gets_one(project: Path):
    assert main(["init"]) == 0
    assert "python -m pytest benchmarks --jarvis-bench" in script("github")[-1]
    assert find_benchmarks(project) == [Path("benchmarks/test_example.py")]


@pytest.mark.parametrize(
    ("files", "more"),
    [
        ({}, ""),
        ({"requirements.txt": ""}, " -r requirements.txt"),
        ({"pyproject.toml": "[tool.ruff]\n"}, ""),
        ({"pyproject.toml": "[project]\n"}, " && python -m pip install -e ."),
        ({"setup.py": "", "requirements.txt": ""}, " && python -m pip install -e ."),
    ],
)
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_ci_file_installs_what_the_project_has(
    project: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], more: str, ci: str
):
    monkeypatch.setattr(starting, "own_source", lambda: "git+https://host/owner/jarvisperf@0123")
    write(**files)
    assert main(["init", "--ci", ci]) == 0
    assert f"python -m pip install git+https://host/owner/jarvisperf@0123{more}" in script(ci)


def test_where_nobody_knows_from_where_to_install_a_variable_says_it_or_the_job_fails(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(starting, "own_source", lambda: None)
    assert main(["init", "--ci", "github"]) == 0
    assert "set the CI variable JARVISPERF to where pip finds jarvisperf, like git+https://" in capsys.readouterr().out
    job = yaml.safe_load(Path(".github/workflows/benchmarks.yml").read_text())["jobs"]["benchmarks"]
    assert job["env"] == {"JARVISPERF": "${{ vars.JARVISPERF }}"}
    (line,) = [line for line in script("github") if "pip install" in line]
    without = subprocess.run(["sh", "-c", line], env={"JARVISPERF": ""}, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "JARVISPERF: is not set, give what pip installs" in without.stderr


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
    monkeypatch.setattr("jarvisperf.cli.own_source.metadata.distribution", lambda _: installed)
    assert own_source() == "jarvisperf==1.2"
    installed.record = json.dumps(of_git)
    assert own_source() == "git+https://host/owner/jarvisperf@0123"


def script(ci: str) -> list[str]:
    """Read the commands of the CI file."""
    if ci == "gitlab":
        return yaml.safe_load(Path(".gitlab-ci-benchmarks.yml").read_text())["benchmarks"]["script"]
    job = yaml.safe_load(Path(".github/workflows/benchmarks.yml").read_text())["jobs"]["benchmarks"]
    return [step["run"] for step in job["steps"] if "run" in step]
