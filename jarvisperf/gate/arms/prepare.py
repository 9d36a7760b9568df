"""Prepares the arms: checkouts, head's benchmark files on both, equal environments, installations."""

from __future__ import annotations

import filecmp
import os
import re
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
from jarvisperf.gate.arms.git import GitError
from jarvisperf.gate.arms.lfs import describe_pointers
from jarvisperf.gate.arms.tampering import Seals
from jarvisperf.gate.processes.workers import ArmPlace
from jarvisperf.gate.project.installed import installed_from
from jarvisperf.gate.project.packages import find_layout, is_in_folder, shared_test_folder
from jarvisperf.runs.commit import GIT_PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.project.packages import Layout

# Variables that belong to this pytest and would affect another one, or that differ between the arms anyway.
DROPPED_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "OLDPWD", "PYTHONHASHSEED", *GIT_PLACES)
SHOWN_OUTPUT_CHARACTERS = 2_000
ERROR_LINE = re.compile(r"\s*[\w.]*Error: ")  # installers hide the reason above several lines of their own
DROPPED_PREFIXES = ("PYTEST_XDIST_", "COV_CORE_")


def inherited_environment() -> dict[str, str]:
    """Return the environment variables of this process that an arm gets as well."""
    return {
        variable: value
        for variable, value in os.environ.items()
        if variable not in DROPPED_VARIABLES and not variable.startswith(DROPPED_PREFIXES)
    }


class SharedFiles(msgspec.Struct, frozen=True):
    """Files of head that all arms use, relative to the repository.

    Attributes:
        files: The files.
        places: Files and folders to mirror from head: a path that head lacks is removed from the other arms.
        named: Those among them that the project or the command line names, including files that git ignores.
    """

    files: tuple[str, ...]
    places: tuple[str, ...]
    named: tuple[str, ...] = ()

    def copy(self, source: Path, target: Path) -> None:
        """Make a checkout match another one in these files.

        Raises:
            GitError: git could not list a submodule's files.
            OSError: A file could not be copied or removed.
        """
        for place in self.places:
            remove_strangers(source, target, place)
        copy_files(source, target, self.files)


class InstallError(RuntimeError):
    """The command of --jarvis-arm-install failed; the message contains the end of its output."""


class Arms:
    """Base, head and the copy of base, in a temporary folder that is removed when this is closed.

    Attributes:
        folder: The folder with the arms.
        layout: The project's packages.
        places: The environment of each arm's worker.
        generated: Files that git ignores and all arms use.
        notes: Notes about the files for readers of the report, one line each.

    Args:
        repository: The repository and its commits.
        project: The project's folder, which is pytest's root folder.
        install: A command to run in each arm, in its own virtual environment; None: no installation.

    Raises:
        GitError: git could not provide the files.
        InstallError: The command failed.
        OSError: A file could not be written.
    """

    def __init__(self, repository: Repository, project: Path, install: str | None = None) -> None:
        self._checkouts = Checkouts()
        self._seals: Seals | None = None
        self._named: tuple[str, ...] = ()
        try:
            self.folder = self._checkouts.folder
            self._repository = repository.root
            self._is_installed = install is not None
            self._inside = relative_inside(project, repository.root)
            roots = {HEAD: self._checkouts.write_working_tree(repository.root, HEAD)}
            for name in (BASE, SAME):
                roots[name] = self._checkouts.write_commit(repository.root, repository.base, name)
            commits = {name: repository.head if name == HEAD else repository.base for name in roots}
            self._checkouts.make_repositories(repository.root, commits)
            self.notes = [
                note for name in (HEAD, BASE) for note in describe_pointers(repository.root, name, roots[name])
            ]
            installed = self._install(roots, install) if install else {}
            self.layout = self._layout(repository.root, roots)
            self.generated = () if install else self._share_generated(repository.root, roots)
            self.places = {name: self._place(name, roots[name], repository.root, installed.get(name)) for name in roots}
        except BaseException:
            self.close()
            raise

    def share(self, shared: SharedFiles) -> None:
        """Copy files of head to the other arms.

        Raises:
            GitError: A path that the project names exists neither in head nor in base, or git could not list it.
            OSError: A file could not be copied or removed.
        """
        for name in shared.named:
            if not any(os.path.lexists(root / name) for root in (self._repository, self._checkouts.arm(BASE))):
                raise GitError(f"jarvis_shared names {name!r}, which exists neither in {self._repository} nor in base")
        self._named = shared.named
        head = self._checkouts.arm(HEAD)
        copy_files(self._repository, head, lacking(head, listed_even_ignored(self._repository, shared.named)))
        for name in (BASE, SAME):
            shared.copy(self._checkouts.arm(HEAD), self._checkouts.arm(name))
        if not self._is_installed:
            self.notes += self._without_compiled()

    def head_files(self) -> list[str]:
        """Return the files and submodules of head's arm that come from the working tree, relative to the arm.

        Raises:
            GitError: git could not list them.
        """
        named = listed_even_ignored(self._repository, self._named)
        return [*listed(self._repository), *self.generated, *named]

    def installed_places(self) -> list[Path]:
        """Return the folders with the packages that `--jarvis-arm-install` installed into the arms."""
        venvs = sorted({root for place in self.places.values() for root in place.roots[1:]})
        return [folder for venv in venvs for folder in sorted(venv.glob("lib/python*/site-packages"))]

    def differing(self, files: Iterable[Path]) -> list[str]:
        """Return the files of the working tree that differ between base and head, or are missing in one of them."""
        names = (file.relative_to(self._repository).as_posix() for file in files)
        base, head = self._checkouts.arm(BASE), self._checkouts.arm(HEAD)
        return [name for name in names if not _are_same(base / name, head / name)]

    def changed_code(self) -> list[str]:
        """Return the Python files of head's packages, without tests, that base lacks or has in another version.

        Raises:
            GitError: git could not list the files.
        """
        places = self.layout.places()
        code = [self._repository / name for name in listed(self._repository) if _is_code(name, places)]
        head = self._checkouts.arm(HEAD)
        return [name for name in self.differing(code) if (head / name).is_file()]

    def _share_generated(self, repository: Path, roots: Mapping[str, Path]) -> tuple[str, ...]:
        """Give all arms the generated files in the project's packages that git ignores, such as `_version.py`.

        Only Python files: with a compiled module, both arms would run head's code, which hides the change to measure.
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
        """Warn that the arms lack compiled modules that this Python may use, so their code may run differently."""
        compiled = self._in_packages(ignored_modules(self._repository, "*.so", "*.pyd"))
        missing = lacking(self._checkouts.arm(HEAD), compiled)
        if not missing:
            return []
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return [
            f"git ignores {missing[0]}{more}, so both arms run without it; --jarvis-arm-install builds each arm's own"
        ]

    def separate_written(self) -> list[str]:
        """Give each arm its own copy of a shared file again if a benchmark wrote to it.

        Returns:
            The names of those files.

        Raises:
            OSError: A file could not be copied, or the working tree's has changed as well.
        """
        return self._checkouts.separate_written()

    def seal(self) -> None:
        """Remember the code of the arms, which must stay as it is from now on.

        Raises:
            OSError: A file could not be read.
        """
        self._seals = Seals(self._checkouts.arm(name) for name in (BASE, HEAD, SAME))

    def rewritten_code(self) -> list[str]:
        """Return the files of code that have changed since `seal`, each after its arm: ``base/pkg/core.py``."""
        broken = self._seals.broken() if self._seals is not None else []
        return [Path(path).relative_to(self.folder).as_posix() for path in broken]

    def close(self) -> None:
        """Remove the folder."""
        self._checkouts.close()

    def _install(self, roots: Mapping[str, Path], command: str) -> dict[str, Path]:
        """Install the project in every arm; a shared file that this changes becomes that arm's own.

        Returns:
            Each arm's virtual environment, which falls back to this one's packages.
        """
        venvs = {name: root.parent / f"venv-{root.name}" for name, root in roots.items()}
        _make_environments(list(venvs.values()))
        for name, venv in venvs.items():
            env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", *GIT_PLACES}}
            env |= {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{env.get('PATH', '')}"}
            done = subprocess.run(  # noqa: S602  # the user's own command, as it stands on their command line
                command,
                shell=True,
                cwd=roots[name],
                env=env,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            _check_installed(done, command, roots[name].name)
            self._checkouts.separate_written(keeper=name)
        return venvs

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
        env = inherited_environment() | {"PYTHONPATH": os.pathsep.join([*own, *kept]), "PWD": str(cwd)}
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
    """Find the files of head that all arms use.

    These are the benchmark files and everything else in their test folder (helpers, data), the conftest files above
    them, pytest's configuration, and what the project names. Files that head has removed are removed from the other
    arms too; otherwise their absence would make an unwanted difference.

    Args:
        root: The top folder of the repository.
        files: The benchmark files.
        config_file: The file with pytest's configuration.
        extra: Further files and folders, relative to the repository.
        packages: The places of the project's packages, relative to the repository; they are compared, so not shared.

    Raises:
        GitError: A benchmark file, the target of a link, or a further file lies outside the repository; or a path to
            share contains a package.
    """
    # Use git's names for them, and include the files that they link to.
    names = {(relative_inside(file.parent, root) / file.name).as_posix() for file in files}
    names |= {relative_inside(file, root).as_posix() for file in files}
    named = [_named_place(name, root) for name in extra]
    tracked = listed(root)
    code = [name for name in tracked if _is_code(name, packages)]
    for name in named:
        if any(is_in_folder(file, name) for file in code):
            raise GitError(
                f"jarvis_shared names {name!r}, which contains the project's own code: both arms would measure head's"
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
    """Return whether a file is Python code of the project's packages, outside of test folders."""
    is_inside = any(is_in_folder(name.removesuffix(".py"), package) for package in packages)
    return name.endswith(".py") and is_inside and shared_test_folder(name, packages) is None


def _named_place(name: str, root: Path) -> str:
    """Return a path in `jarvis_shared` relative to the repository.

    Raises:
        GitError: It lies outside the repository.
    """
    place = Path(os.path.normpath(root / name))
    if not place.is_relative_to(root) or place == root:
        raise GitError(f"jarvis_shared names {name!r}; name files and folders in the git repository {root}")
    return place.relative_to(root).as_posix()


def _are_same(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()):
        return False
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)


def relative_inside(path: Path, root: Path) -> Path:
    """Return the real location of a path, relative to the repository.

    Raises:
        GitError: It lies outside the repository, or links to the outside.
    """
    place = path.resolve()
    if not place.is_relative_to(root):
        shown = path if path == place else f"{path} (a link to {place})"
        raise GitError(f"{shown} lies outside the git repository {root}, so git has no revision of it to compare")
    return place.relative_to(root)


def _moved(entry: str, repository: Path, root: Path) -> str:
    """Translate a module search path entry in the repository to the arm's own folder."""
    place = Path(entry).resolve()
    inside = Path(entry).is_absolute() and place.is_relative_to(repository)
    return str(root / place.relative_to(repository)) if inside else entry


def _make_environments(venvs: Sequence[Path]) -> None:
    """Create virtual environments: the first one, and copies of it, because installing pip takes seconds."""
    first, *others = venvs
    uv = shutil.which("uv")
    make = [uv, "venv", "--quiet", "--python", sys.executable, "--seed"] if uv else [sys.executable, "-m", "venv"]
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", *GIT_PLACES}}
    words = [*make, str(first)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    _check_installed(done, " ".join(words), first.name)
    for venv in others:
        shutil.copytree(first, venv, symlinks=True)
        for file in (venv / "pyvenv.cfg", *(venv / "bin").iterdir()):  # files that contain the environment's path
            if not file.is_symlink():
                file.write_bytes(file.read_bytes().replace(os.fsencode(first), os.fsencode(venv)))


def _check_installed(done: subprocess.CompletedProcess[str], shown: str, where: str) -> None:
    if done.returncode != 0:
        what = f"--jarvis-arm-install: {shown!r} failed in {where} ({done.returncode})"
        lines = (done.stderr or done.stdout).strip()[-SHOWN_OUTPUT_CHARACTERS:].splitlines()
        if not lines:
            raise InstallError(f"{what} and printed nothing")
        errors = [line.strip() for line in lines if ERROR_LINE.match(line)]
        reason = errors[-1] if errors else lines[-1].strip()
        raise InstallError("\n".join((f"{what}: {reason}", "its last output:", *lines)))
