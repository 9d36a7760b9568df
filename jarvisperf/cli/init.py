"""`jarvisperf init`: writes a configuration, a CI file and, if there is none, a benchmark; overwrites nothing."""

from __future__ import annotations

import shlex
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import OK, PYTEST_FILES, CommandError, add_command
from jarvisperf.cli.existing_benchmarks import find_benchmarks, pytest_words
from jarvisperf.cli.own_source import own_source

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from jarvisperf.cli.common import Subparsers

INSTALLABLE = ("setup.py", "setup.cfg", "pyproject.toml")
CI_FILES = {"github": ".github/workflows/benchmarks.yml", "gitlab": ".gitlab-ci-benchmarks.yml", "none": None}
SOURCE_VARIABLE = "JARVISPERF"
SOURCE_EXAMPLE = "git+https://HOST/OWNER/jarvisperf"
GITHUB_VARIABLE = f"""    env:
      {SOURCE_VARIABLE}: ${{{{ vars.{SOURCE_VARIABLE} }}}}  # where pip finds jarvisperf, like {SOURCE_EXAMPLE}
"""


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    init = add_command(
        commands,
        "init",
        _init,
        "write a configuration, a CI file and, if there is none, a benchmark into a project; never overwrites files",
        "jarvisperf init",
        "jarvisperf init path/to/project --ci gitlab",
    )
    init.add_argument("folder", type=Path, nargs="?", default=Path(), help="the project (.)")
    init.add_argument("--ci", choices=sorted(CI_FILES), help="the CI system (the one in use, else github)")


def _init(words: argparse.Namespace) -> int:
    folder: Path = words.folder
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder")
    ci = words.ci or ("gitlab" if (folder / ".gitlab-ci.yml").exists() else "github")
    files = find_benchmarks(folder)
    benchmarks = shlex.join(pytest_words(folder, files)) if files else "benchmarks"
    wanted = {} if files else {"benchmarks/test_example.py": "test_example.py.txt"}
    if CI_FILES[ci]:
        wanted[str(CI_FILES[ci])] = f"{ci}.yml"
    config = next((name for name in PYTEST_FILES if (folder / name).exists()), None)
    if config is None:
        wanted["pytest.ini"] = "pytest.ini"
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        print(f"found benchmarks in {files[0].as_posix()}{more}")
    source = own_source()
    texts = {
        "ENVIRONMENT\n": GITHUB_VARIABLE if source is None else "",
        "INSTALL": _install(folder, source),
        "BENCHMARKS": benchmarks,
    }
    for name, template in wanted.items():
        print(f"{'wrote' if _write(folder / name, template, texts) else 'kept '} {name}")
    if config is not None:
        default = '"5%"' if config.endswith(".toml") else "5%"
        print(f"kept  {config}; to set defaults add to its pytest section: jarvis_threshold = {default}")
    if ci == "gitlab":
        print(f"to use it add to .gitlab-ci.yml: include: {CI_FILES[ci]}")
    if source is None and CI_FILES[ci]:
        print(f"set the CI variable {SOURCE_VARIABLE} to where pip finds jarvisperf, like {SOURCE_EXAMPLE}")
    print(f"next: pytest {benchmarks} --jarvis-bench")
    return OK


def _install(folder: Path, source: str | None) -> str:
    """Return the shell command that installs the plugin and the project's requirements."""
    place = f'"${{{SOURCE_VARIABLE}:?is not set, give what pip installs}}"' if source is None else shlex.quote(source)
    words = f"python -m pip install {place}"
    if any(_is_installable(folder / name) for name in INSTALLABLE):
        return f"{words} && python -m pip install -e ."
    return f"{words} -r requirements.txt" if (folder / "requirements.txt").exists() else words


def _is_installable(path: Path) -> bool:
    """Return whether pip can install the project with this file, which may only configure tools."""
    if path.suffix == ".py" or not path.is_file():
        return path.is_file()
    sections = ("[build-system]", "[project]", "[metadata]")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.strip().startswith(sections) for line in lines)


def _write(path: Path, template: str, texts: Mapping[str, str]) -> bool:
    """Write a file unless it exists; return whether it was written."""
    text = (resources.files("jarvisperf.cli") / "templates" / template).read_text(encoding="utf-8")
    for word, replacement in texts.items():
        text = text.replace(word, replacement)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
