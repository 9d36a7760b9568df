"""The arms made ready: checkouts, head's benchmark files on both, equal environments, installations."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.arms.checkout import BASE, HEAD, SAME, Checkouts
from jarvisperf.gate.arms.copying import (
    copy_files,
    ignored_modules,
    lacking,
    listed,
    listed_even_ignored,
    remove_strangers,
)
from jarvisperf.gate.arms.git import PLACES, GitError
from jarvisperf.gate.arms.lfs import describe_pointers
from jarvisperf.gate.processes.workers import ArmPlace
from jarvisperf.gate.project.installed import installed_from
from jarvisperf.gate.project.packages import find_layout, is_in_folder, shared_test_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.project.packages import Layout

# What belongs to this pytest and would change another one, or differs between the arms by nature.
DROPPED_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "OLDPWD", "PYTHONHASHSEED", *PLACES)
DROPPED_PREFIXES = ("PYTEST_XDIST_", "COV_CORE_")


class SharedFiles(msgspec.Struct, frozen=True):
    """What of head serves on all arms, relative to the repository.

    Attributes:
        files: The files.
        places: Files and folders that the other arms have like head, or not at all.
        named: Those among them that the project or the command line has named: with what git ignores in them.
    """

    files: tuple[str, ...]
    places: tuple[str, ...]
    named: tuple[str, ...] = ()

    def copy(self, source: Path, target: Path) -> None:
        """Have a checkout hold what another one does.

        Raises:
            GitError: git could not list a submodule's files.
            OSError: A file could not be copied or removed.
        """
        for place in self.places:
            remove_strangers(source, target, place)
        copy_files(source, target, self.files)


class InstallError(RuntimeError):
    """The command of --jarvis-arm-install failed; the message holds its last words."""


class Arms:
    """Base, head and the base's copy, in a temporary folder that goes when this is closed.

    Attributes:
        folder: Where the arms are.
        layout: The project's packages.
        places: Where each arm's worker runs.
        generated: Files that git ignores and that serve on all arms.
        notes: What the reader of the report should know of the files, a line each.

    Args:
        repository: The repository and its commits.
        project: The folder of the project, where pytest's root is.
        install: A command to run in each arm, in a virtual environment of its own; None: none.

    Raises:
        GitError: git could not give the files.
        InstallError: The command failed.
        OSError: A file could not be written.
    """

    def __init__(self, repository: Repository, project: Path, install: str | None = None) -> None:
        self._checkouts = Checkouts()
        try:
            self.folder = self._checkouts.folder
            self._repository = repository.root
            self._is_installed = install is not None
            self._inside = relative_inside(project, repository.root)
            roots = {HEAD: self._checkouts.write_working_tree(repository.root, HEAD)}
            for name in (BASE, SAME):
                roots[name] = self._checkouts.write_commit(repository.root, repository.base, name)
            self.notes = [
                note for name in (HEAD, BASE) for note in describe_pointers(repository.root, name, roots[name])
            ]
            installed = {name: self._install(name, root, install) for name, root in roots.items()} if install else {}
            self.layout = self._layout(repository.root, roots)
            self.generated = () if install else self._share_generated(repository.root, roots)
            self.places = {name: self._place(name, roots[name], repository.root, installed.get(name)) for name in roots}
        except BaseException:
            self.close()
            raise

    def share(self, shared: SharedFiles) -> None:
        """Have files of head serve on the other arms too.

        Raises:
            GitError: What the project has named exists neither in head nor in the base, or git could not list it.
            OSError: A file could not be copied or removed.
        """
        for name in shared.named:
            if not any(os.path.lexists(root / name) for root in (self._repository, self._checkouts.arm(BASE))):
                raise GitError(
                    f"jarvis_shared names {name!r}, which exists neither in {self._repository} nor in the base"
                )
        head = self._checkouts.arm(HEAD)
        copy_files(self._repository, head, lacking(head, listed_even_ignored(self._repository, shared.named)))
        for name in (BASE, SAME):
            shared.copy(self._checkouts.arm(HEAD), self._checkouts.arm(name))
        if not self._is_installed:
            self.notes += self._without_compiled()

    def differing(self, files: Iterable[Path]) -> list[str]:
        """Name the files of the working tree that are not the same in base and head, or not there in one of them."""
        names = (file.relative_to(self._repository).as_posix() for file in files)
        base, head = self._checkouts.arm(BASE), self._checkouts.arm(HEAD)
        return [name for name in names if not _are_same(base / name, head / name)]

    def _share_generated(self, repository: Path, roots: Mapping[str, Path]) -> tuple[str, ...]:
        """Give all arms what a build has written into the project's packages and git ignores: `_version.py` and such.

        Python files only: a compiled module would be head's on both arms, and hide the very change that is looked for.
        """
        names = tuple(self._in_packages(ignored_modules(repository, "*.py")))
        for root in roots.values():
            copy_files(repository, root, lacking(root, names))
        return names

    def _in_packages(self, names: Iterable[str]) -> list[str]:
        folders = ["" if folder == "." else f"{folder}/" for folder in self.layout.folders]
        packages = {name.partition(".")[0] for name in self.layout.names}
        starts = tuple(f"{folder}{package}/" for folder in folders for package in packages)
        return [name for name in names if name.startswith(starts)]

    def _without_compiled(self) -> list[str]:
        """Say that the arms run without compiled modules which this Python may use: code may do its work otherwise."""
        compiled = self._in_packages(ignored_modules(self._repository, "*.so", "*.pyd"))
        missing = lacking(self._checkouts.arm(HEAD), compiled)
        if not missing:
            return []
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return [f"git ignores {missing[0]}{more}, so both arms run without; --jarvis-arm-install builds each arm's own"]

    def separate_written(self) -> list[str]:
        """Give each arm a file of its own again where a benchmark wrote to one that they share.

        Returns:
            The names of those files.

        Raises:
            OSError: A file could not be copied, or the working tree's has changed as well.
        """
        return self._checkouts.separate_written()

    def close(self) -> None:
        """Remove the folder."""
        self._checkouts.close()

    def _install(self, name: str, root: Path, command: str) -> Path:
        """Install the project in an arm; what that writes into files that the arms share stays this arm's own."""
        venv = _install(root, command)
        self._checkouts.separate_written(keeper=name)
        return venv

    def _layout(self, repository: Path, roots: Mapping[str, Path]) -> Layout:
        search = {name: [_moved(entry, repository, root) for entry in sys.path] for name, root in roots.items()}
        installed = installed_from(repository)
        head, base = (
            find_layout(roots[name], roots[name] / self._inside, search[name], installed) for name in (HEAD, BASE)
        )
        return head.__class__(
            packages=tuple(dict.fromkeys(head.packages + base.packages)),
            folders=tuple(dict.fromkeys(head.folders + base.folders)),
            names=tuple(dict.fromkeys(head.names + base.names)),
        )

    def _place(self, name: str, root: Path, repository: Path, installed: Path | None) -> ArmPlace:
        cwd = root / self._inside
        own = [str(root / folder) if folder != "." else str(root) for folder in self.layout.folders]
        if installed is not None:
            own = [*map(str, sorted(installed.glob("lib/python*/site-packages"))), *own]
        given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        kept = [_moved(entry, repository, root) for entry in given if entry]
        searched = () if sys.flags.ignore_environment else kept
        env = {
            variable: value
            for variable, value in os.environ.items()
            if variable not in DROPPED_VARIABLES and not variable.startswith(DROPPED_PREFIXES)
        }
        env |= {"PYTHONPATH": os.pathsep.join([*own, *kept]), "PWD": str(cwd)}
        if installed is not None:
            env |= {"VIRTUAL_ENV": str(installed), "PATH": f"{installed / 'bin'}{os.pathsep}{env.get('PATH', '')}"}
        return ArmPlace(
            name=name, roots=(root, installed) if installed else (root,), cwd=cwd, paths=(*own, *searched), env=env
        )


def shared_files(
    root: Path,
    files: Sequence[Path],
    config_file: Path | None,
    extra: Sequence[str],
    packages: Sequence[str] = (),
) -> SharedFiles:
    """Find what of head serves on all arms.

    These are: the benchmark files, and all else in the test folder that they lie in (helpers, data); the conftest files
    from the top down to them; pytest's configuration; and what the project names itself. What head has not is gone from
    the other arms too, or its absence would be a difference that nobody looks for.

    Args:
        root: The top folder of the repository.
        files: The benchmark files.
        config_file: The file that holds pytest's configuration.
        extra: Further files and folders, relative to the repository.
        packages: Where the project's packages lie, likewise: these are compared, so they are not shared.

    Raises:
        GitError: A benchmark file, what it is a link to, or a further file lies outside of the repository; or what is
            to be shared holds a package.
    """
    # As git names them, and what they are links to.
    names = {(relative_inside(file.parent, root) / file.name).as_posix() for file in files}
    names |= {relative_inside(file, root).as_posix() for file in files}
    named = [_named_place(name, root) for name in extra]
    tracked = listed(root)
    code = [name for name in tracked if _is_code(name, packages)]
    for name in named:
        if any(is_in_folder(file, name) for file in code):
            raise GitError(
                f"jarvis_shared names {name!r}, which holds the project's own code: both arms would measure head's"
            )
    folders = {folder for name in names if (folder := shared_test_folder(name, packages))} | set(named)
    conftests = {(parent / "conftest.py").as_posix() for name in names for parent in Path(name).parents}
    wanted = {*names, *conftests, *folders}
    for path in (config_file.parent.resolve() / config_file.name, config_file.resolve()) if config_file else ():
        if path.is_relative_to(root):
            wanted.add(path.relative_to(root).as_posix())
            if path.exists():
                named.append(path.relative_to(root).as_posix())  # git may ignore what `-c` names
    prefixes = tuple(f"{folder}/" for folder in folders)
    seen = [name for name in tracked if name in wanted or name.startswith(prefixes)]
    return SharedFiles(
        files=tuple(dict.fromkeys((*seen, *listed_even_ignored(root, named)))),
        places=(*sorted(conftests), *sorted(folders)),
        named=tuple(dict.fromkeys(named)),
    )


def _is_code(name: str, packages: Sequence[str]) -> bool:
    """Tell whether a file is Python code of the project's packages, and lies in no test folder."""
    is_inside = any(is_in_folder(name.removesuffix(".py"), package) for package in packages)
    return name.endswith(".py") and is_inside and shared_test_folder(name, packages) is None


def _named_place(name: str, root: Path) -> str:
    """Give a place of `jarvis_shared`, relative to the repository.

    Raises:
        GitError: It lies outside.
    """
    place = Path(os.path.normpath(root / name))
    if not place.is_relative_to(root) or place == root:
        raise GitError(f"jarvis_shared names {name!r}; name files and folders in the git repository {root}")
    return place.relative_to(root).as_posix()


def _are_same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def relative_inside(path: Path, root: Path) -> Path:
    """Give where a path really is, relative to the repository.

    Raises:
        GitError: It lies outside, or is a link to what does.
    """
    place = path.resolve()
    if not place.is_relative_to(root):
        shown = path if path == place else f"{path} (a link to {place})"
        raise GitError(f"{shown} lies outside of the git repository {root}, so git has no revision of it to compare")
    return place.relative_to(root)


def _moved(entry: str, repository: Path, root: Path) -> str:
    """Give the arm's own folder for one of the module search path that lies in the repository."""
    place = Path(entry).resolve()
    inside = Path(entry).is_absolute() and place.is_relative_to(repository)
    return str(root / place.relative_to(repository)) if inside else entry


def _install(root: Path, command: str) -> Path:
    """Install the project in an arm, in a virtual environment that sees this one's packages behind its own."""
    venv = root.parent / f"venv-{root.name}"
    uv = shutil.which("uv")
    make = [uv, "venv", "--quiet", "--python", sys.executable, "--seed"] if uv else [sys.executable, "-m", "venv"]
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", *PLACES}}
    env |= {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{env.get('PATH', '')}"}
    for words, shell in (([*make, str(venv)], False), (command, True)):
        done = subprocess.run(  # noqa: S603  # the user's own command, as it stands on their command line
            words, shell=shell, cwd=root, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shown = command if shell else " ".join(map(str, words))
            last = (done.stderr or done.stdout).strip()[-2_000:]
            raise InstallError(f"--jarvis-arm-install: {shown!r} failed in {root.name} ({done.returncode}): {last}")
    return venv
