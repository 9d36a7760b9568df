"""Every Python and console block of the documentation runs, page by page.

The blocks of a page share one namespace and one project: a git repository with a small suite, a branch that is checked
out, a remote `origin`, and two stored runs named `main`. A block with a title is written to that file; tests are run by
pytest. What a console block prints is not compared here, because figures differ; `docs/capture.py` writes the output of
the tutorials.

A comment on the line before a block says what is special: ``<!-- test: compile -->`` for blocks that need the network,
torch or a file of the reader's (they are compiled, and their options are parsed), ``<!-- test: plugin NAME -->`` for
tests that need another pytest plugin.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from generate.reference import RegisteredOptions
from light_pytest import LIGHT, NO_CONTROL, SHORT_PROFILES, path_with_inner_plugins
from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from jarvisperf.cli.main import make_parser

ROOT = Path(__file__).parents[2]
CAPTURED = {ROOT / "docs" / "tutorial.md", ROOT / "docs" / "pt" / "tutorial.md"}
PAGES = sorted({ROOT / "README.md", ROOT / "README.pt-BR.md", *(ROOT / "docs").rglob("*.md")} - CAPTURED)
DIRECTIVE = re.compile(r"<!-- test: (?P<what>compile|plugin (?P<plugin>\w+)) -->\s*\Z")
BENCHMARK = """
from shop import total


def test_a(jarvis_bench):
    assert jarvis_bench(total, range(1_000)) == 499_500


def test_b(jarvis_bench):
    assert jarvis_bench(total, range(2_000)) == 1_999_000
"""
# By functions, so that the documented words start this Python, wherever its scripts are.
COMMANDS = f"""
python() {{ {sys.executable} "$@"; }}
pytest() {{ python -m pytest "$@"; }}
jarvisperf() {{ python -c "import sys; from jarvisperf.cli.main import main; sys.exit(main())" "$@"; }}
"""
OPTIONS = RegisteredOptions().options


class Block(NamedTuple):
    text: str
    title: str | None
    compiled_only: bool
    plugin: str | None


def blocks(info: str, evaluate: Callable[[Example], None]) -> Callable[[Document], Iterator[Region]]:
    """Return a parser of fenced blocks whose first line matches a regular expression."""

    def parse(document: Document) -> Iterator[Region]:
        for region in FencedCodeBlockLexer(info)(document):
            yield Region(region.start, region.end, region.lexemes["source"], evaluate)

    return parse


def block_of(example: Example) -> Block:
    before = example.document.text[: example.region.start]
    directive = DIRECTIVE.search(before)
    title = re.search(r'title="([^"]+)"', example.document.text[example.region.start :].partition("\n")[0])
    return Block(
        textwrap.dedent(str(example.parsed)),
        title[1] if title else None,
        bool(directive and directive["what"] == "compile"),
        directive["plugin"] if directive else None,
    )


def environment() -> dict[str, str]:
    quick = ("--jarvis-budget=0.02", "--jarvis-launches=2", "-p no:asyncio", "-p no:cacheprovider")
    return {
        **os.environ,
        "PYTEST_ADDOPTS": " ".join((*quick, *LIGHT, *NO_CONTROL, *SHORT_PROFILES)),
        "PYTHONPATH": path_with_inner_plugins(),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    surroundings = environment()
    return subprocess.run(
        words, cwd=folder, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the repository, once."""
    folder = tmp_path_factory.mktemp("documented") / "project"
    (folder / "benchmarks").mkdir(parents=True)
    (folder / "shop.py").write_text("def total(prices):\n    return sum(prices)\n", encoding="utf-8")
    (folder / "benchmarks" / "bench_a.py").write_text(BENCHMARK, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\npython_files = bench_*.py test_*.py\n", encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\nreports/\n.jarvisperf/\n", encoding="utf-8")
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (
        (*git, "init", "-qb", "main"),
        (*git, "add", "-A"),
        (*git, "commit", "-qm", "Shop"),
        (*git, "tag", "v1.0"),
        (*git, "clone", "-q", "--bare", ".", "../origin"),
        (*git, "remote", "add", "origin", "../origin"),
        (*git, "fetch", "-q", "origin"),
        *([(sys.executable, "-m", "pytest", "-q", "--jarvis-bench", "--jarvis-save=main")] * 2),
        (*git, "switch", "-qc", "change"),
    ):
        done = run(folder, *words)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    (folder / "shop.py").write_text("def total(prices):\n    return 0 + sum(prices)\n", encoding="utf-8")
    done = run(folder, *git, "commit", "-qam", "Change")
    assert done.returncode == 0
    return folder


@pytest.fixture
def project(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(repository.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("JARVISPERF_DATA_DIR", str(tmp_path / "documents"))
    return folder


def run_python(example: Example) -> None:
    block = block_of(example)
    code = compile(block.text, f"{example.path}:{example.line}", "exec", dont_inherit=True)
    if block.compiled_only:
        return
    is_test = re.search(r"^(async )?def test_|^    def test_", block.text, flags=re.MULTILINE)
    title = block.title or (f"benchmarks/test_line_{example.line}.py" if is_test else None)
    if title:
        path = Path.cwd() / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    if is_test:
        plugin = () if block.plugin is None else ("-p", block.plugin)
        done = run(Path.cwd(), sys.executable, "-m", "pytest", "-q", *plugin, str(title))
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        exec(code, example.namespace)


def check_command(line: str) -> None:
    """Check a command as far as that is possible without running it: its syntax, and the options that are ours."""
    checked = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    unknown = set(re.findall(r"--jarvis-[a-z-]+", line)) - OPTIONS.keys()
    assert not unknown, f"{line}: {unknown}"
    words = shlex.split(line, comments=True)
    if words[0] == "jarvisperf":
        told = io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            try:
                make_parser().parse_args(words[1:])
            except SystemExit as end:
                status = end.code
            else:
                status = 0
        assert not status, f"{line}\n{told.getvalue()}"


def run_console(example: Example) -> None:
    block = block_of(example)
    commands = re.findall(r"^\$ (.*)$", block.text, flags=re.MULTILINE)
    assert commands, "no line of the block begins with $"
    for line in commands:
        check_command(line)
        if not block.compiled_only:
            done = run(Path.cwd(), "bash", "-c", f"{COMMANDS}{line}")
            shown = f"{line}\n{done.stdout}{done.stderr}"
            assert done.returncode in {0, 1}, shown  # 1: slower than before, which is what most examples show
            assert not re.search("Traceback|command not found|no such option|INTERNALERROR", shown), shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_of_the_page_runs(page: Path, project: Path):
    document = Document.parse(
        str(page), blocks(r'python(?: title="[^"\n]+")?', run_python), blocks("console", run_console)
    )
    examples = list(document.examples())
    assert len(examples) == len(re.findall(r"^ *```(?:python|console)", document.text, flags=re.MULTILINE))
    for example in examples:
        example.evaluate()


def test_every_option_that_the_documentation_names_exists():
    for page in [*PAGES, *filter(Path.exists, CAPTURED), ROOT / "CONTRIBUTING.md"]:
        named = set(re.findall(r"--jarvis-[a-z-]*[a-z]", page.read_text(encoding="utf-8")))
        assert named <= OPTIONS.keys(), page
