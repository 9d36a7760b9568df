"""Runs the README's commands, except the installation commands, which .ci/run runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from git_project import GitProject

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPARING = "python -m pytest benchmarks --jarvis-bench --jarvis-against main"


def commands_of_the_readme() -> list[str]:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    return [line.partition(" #")[0].strip() for line in prose.splitlines() if line.startswith("    ")]


def test_ci_runs_the_readmes_commands_in_their_order_and_the_benchmarks_come_first():
    listed = subprocess.run([ROOT / ".ci" / "readme-commands"], check=True, capture_output=True, text=True)
    run_by_ci = listed.stdout.splitlines()
    assert [*run_by_ci, COMPARING] == commands_of_the_readme()
    assert run_by_ci[0].endswith("tox run -e bench")
    assert run_by_ci[1].endswith("tox run")
    assert "commands=$(.ci/readme-commands)" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.usefixtures("with_reasons")
def test_the_readmes_sixty_seconds_end_with_the_regression_named(pytester: pytest.Pytester):
    section = README.partition("## Sixty seconds of use")[2].partition("\n## ")[0]
    before, benchmarks, after = re.findall(r"```python[^\n]*\n(.*?)```", section, flags=re.DOTALL)
    project = GitProject(pytester)
    project.write("basket.py", before)
    project.write("benchmarks/test_basket.py", benchmarks)
    project.commit()
    project.write("basket.py", after)
    result = project.run(*COMPARING.split()[3:], "--jarvis-budget=0.2", "--jarvis-launches=4", "-p", "no:asyncio")
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        ["time: * slower (*): base *, head *, threshold *", "1 of 3 regressed*", "FAILED *test_unique*"]
    )
