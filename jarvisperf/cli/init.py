"""`jarvisperf init`: a first benchmark, the configuration and the CI file; nothing is ever overwritten."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import OK, PYTEST_FILES, CommandError, add_command

if TYPE_CHECKING:
    import argparse

    from jarvisperf.cli.common import Subparsers

INSTALLABLE = ("setup.py", "setup.cfg", "pyproject.toml")
CI_FILES = {"github": ".github/workflows/benchmarks.yml", "gitlab": ".gitlab-ci-benchmarks.yml", "none": None}


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    init = add_command(
        commands,
        "init",
        _init,
        "write a first benchmark, the configuration and the CI file into a project; never overwrites",
        "jarvisperf init",
        "jarvisperf init path/to/project --ci gitlab",
    )
    init.add_argument("folder", type=Path, nargs="?", default=Path(), help="the project (.)")
    init.add_argument("--ci", choices=sorted(CI_FILES), help="which CI (what the project's files tell, else github)")


def _init(words: argparse.Namespace) -> int:
    folder: Path = words.folder
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder")
    ci = words.ci or ("gitlab" if (folder / ".gitlab-ci.yml").exists() else "github")
    wanted = {"benchmarks/test_example.py": "test_example.py.txt"}
    if CI_FILES[ci]:
        wanted[str(CI_FILES[ci])] = f"{ci}.yml"
    config = next((name for name in PYTEST_FILES if (folder / name).exists()), None)
    if config is None:
        wanted["pytest.ini"] = "pytest.ini"
    install = _install(folder)
    for name, template in wanted.items():
        print(f"{'wrote' if _write(folder / name, template, install) else 'kept '} {name}")
    if config is not None:
        default = '"5%"' if config.endswith(".toml") else "5%"
        print(f"kept  {config}; to set defaults add to its pytest section: jarvis_threshold = {default}")
    if ci == "gitlab":
        print(f"to use it add to .gitlab-ci.yml: include: {CI_FILES[ci]}")
    print("next: pytest benchmarks --jarvis-bench")
    return OK


def _install(folder: Path) -> str:
    """Return the shell command that installs the plugin and the project's requirements."""
    words = "python -m pip install jarvisperf"
    if any(_is_installable(folder / name) for name in INSTALLABLE):
        return f"{words} && python -m pip install -e ."
    return f"{words} -r requirements.txt" if (folder / "requirements.txt").exists() else words


def _is_installable(path: Path) -> bool:
    """Tell whether pip can install the project with this file, which may exist for tools only."""
    if path.suffix == ".py" or not path.is_file():
        return path.is_file()
    sections = ("[build-system]", "[project]", "[metadata]")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.strip().startswith(sections) for line in lines)


def _write(path: Path, template: str, install: str) -> bool:
    """Write a file unless it exists; tell whether it was written."""
    text = (resources.files("jarvisperf.cli") / "templates" / template).read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("INSTALL", install))
    except FileExistsError:
        return False
    return True
