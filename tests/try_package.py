"""Installs each built package alone in an empty environment, and uses it there.

``python tests/try_package.py FOLDER`` tries the wheel and the sdist in the folder, and writes ``FOLDER/sbom.cdx.json``,
a CycloneDX list of what the wheel brings along.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

SUITE = """
def test_sum(jarvis_bench):
    jarvis_bench(sum, range(1000))

def test_sorted(benchmark):
    benchmark(sorted, list(range(100)))
"""


def main(folder: Path) -> None:
    """Try all packages of a folder.

    Raises:
        SystemExit: There is no wheel or no sdist.
        subprocess.CalledProcessError: A package could not be installed or used.
    """
    packages = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    if [package.suffix for package in packages] != [".whl", ".gz"]:
        sys.exit(f"expected one wheel and one sdist in {folder}, found {[package.name for package in packages]}")
    for package in packages:
        with tempfile.TemporaryDirectory() as place:
            python = _installed_alone(package.resolve(), Path(place) / "env")
            _use(python, Path(place) / "project")
            if package.suffix == ".whl":
                sbom = ["environment", str(python), "--output-reproducible", "-o", str(folder / "sbom.cdx.json")]
                subprocess.run([sys.executable, "-m", "cyclonedx_py", *sbom], check=True)
            has_compiled = bool(list(Path(place).rglob("_reader.*.so")))
            if package.suffix == ".whl":
                assert package.name.endswith("-py3-none-any.whl"), package.name
                assert not has_compiled, "a wheel for every Python has no compiled part"
        compiled = ", with the compiled part" if has_compiled else ""
        sys.stdout.write(f"{package.name}: installed alone and used{compiled}\n")


def _installed_alone(package: Path, folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    env = {name: value for name, value in os.environ.items() if name != "JARVISPERF_COMPILED"}
    subprocess.run([python, "-m", "pip", "install", "-q", package], check=True, env=env)
    subprocess.run([python, "-m", "pip", "check"], check=True)
    return python


def _use(python: Path, project: Path) -> None:
    """Record, store, compare with the stored run and with a commit, as a project's CI would."""
    project.mkdir()
    (project / "test_x.py").write_text(SUITE)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "JARVIS"))}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull}
    commands = [
        ["git", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=u", "-c", "user.email=u@example.org", "commit", "-qm", "first"],
    ]
    bench = [python, "-m", "pytest", "-q", "--jarvis-bench", "--jarvis-budget=0.2"]
    commands += [
        [*bench, "--jarvis-save=main"],
        [*bench, "--jarvis-compare=main", "--jarvis-threshold=50%"],
        [*bench, "--jarvis-against=HEAD", "--jarvis-threshold=50%", "--jarvis-launches=4"],
        [python.with_name("jarvisperf"), "runs", "list"],
    ]
    for command in commands:
        subprocess.run(command, cwd=project, env=env, check=True)
    report = json.loads((project / "reports/report.json").read_text())
    assert (report["mode"], len(report["benchmarks"])) == ("lockstep", 2), report


if __name__ == "__main__":
    main(Path(sys.argv[1]))
