"""Finds benchmarks that exist in base but not in head: removed, or in a file that was renamed.

A deselected benchmark is not missing. So base is collected with the same arguments and pytest's own selecting options
(`-k`, `-m`, `--deselect`), and the selection of plugins is undone. Benchmarks that only this pytest lacks, because it
skipped a file, are looked for in head's checkout as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.arms.checkout import BASE, HEAD
from jarvisperf.gate.arms.renames import renamed_files
from jarvisperf.gate.lockstep.campaign import collect
from pytest_jarvisperf.arms.arguments import worker_arguments
from pytest_jarvisperf.arms.paths import ArmPaths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    import pytest

    from jarvisperf.gate.arms.prepare import Arms
    from jarvisperf.gate.processes.protocol import Collected


class Absent(msgspec.Struct, frozen=True):
    """Benchmarks of base whose ids do not exist in head.

    Attributes:
        missing: The ids of benchmarks that are gone.
        old_ids: For an id of head, the id in base if its file was renamed.
        in_base: The ids of all benchmarks in base's own files.
        problems: Reasons why some of base's benchmarks may be unknown, one line each.
    """

    missing: tuple[str, ...] = ()
    old_ids: dict[str, str] = {}
    in_base: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def find_absent(config: pytest.Config, repository: Path, arms: Arms, entry: str, present: Collection[str]) -> Absent:
    """Compare the benchmarks in base's own files with those that this pytest collected.

    Args:
        config: The config of this pytest.
        repository: The top folder of the repository.
        arms: The checkouts, before head's benchmark files replace those of base.
        entry: ``module:function`` of the worker.
        present: The ids that this pytest collected, including deselected ones.

    Raises:
        GitError: git could not compare files.
        OSError: A file could not be read.
    """
    found = _listed(config, repository, arms, BASE, entry, _selection(config))
    absent = [name for name in found.ids if name not in present]
    if absent:
        in_head = frozenset(_listed(config, repository, arms, HEAD, entry, []).ids)
        changing = _tests_with_changing_ids(present, in_head)
        absent = [name for name in absent if name not in in_head and _test(name) not in changing]
    base, head = arms.places[BASE].cwd, arms.places[HEAD].cwd
    renamed = renamed_files(
        _contents(base, (_file(name) for name in absent), lacking_in=head),
        _contents(head, map(_file, present), lacking_in=base),
    )
    old_ids = {}
    for name in absent:
        file, colons, test = name.partition("::")
        now = f"{renamed.get(file, file)}{colons}{test}"
        if now in present:
            old_ids[now] = name
    problems = [
        f"base: {file} could not be collected: {problem}" if file else f"base could not be collected: {problem}"
        for file, problem in found.problems.items()
    ]
    return Absent(
        missing=tuple(name for name in absent if name not in old_ids.values()),
        old_ids=old_ids,
        in_base=frozenset(found.ids),
        problems=tuple(problems),
    )


def _listed(
    config: pytest.Config, repository: Path, arms: Arms, arm: str, entry: str, selection: list[str]
) -> Collected:
    """List the benchmarks in an arm's own files, within the arguments of this pytest."""
    place = arms.places[arm]
    paths = ArmPaths(config, repository)
    # If the configuration says which folders contain tests, each arm uses its own.
    is_asked = config.args_source is not config.ArgsSource.TESTPATHS
    asked = paths.asked(place.cwd) if is_asked else []
    if is_asked and not asked:
        from jarvisperf.gate.processes.protocol import VERSION, Collected

        return Collected(VERSION, [], {})
    config_file = paths.config_file()
    if (
        config_file is not None and not (place.cwd / config_file).exists()
    ):  # the arm lacks the folder, perhaps because git ignores it
        config_file = config.inipath
    words = worker_arguments(config, asked, config_file)
    args = {"pytest": [*words, *selection], "packages": [], "repository": str(repository), "ids": None}
    return collect(place, entry, args, arms.folder)


def _selection(config: pytest.Config) -> list[str]:
    """Return pytest's selecting options in effect, wherever they were given."""
    option = config.option
    words = ["-k", option.keyword] if option.keyword else []
    words += ["-m", option.markexpr] if option.markexpr else []
    return words + [f"--deselect={name}" for name in option.deselect or ()]


def _contents(folder: Path, files: Iterable[str], *, lacking_in: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes()
        for name in dict.fromkeys(files)
        if (folder / name).is_file() and not (lacking_in / name).exists()
    }


def _tests_with_changing_ids(present: Collection[str], again: Collection[str]) -> frozenset[str]:
    """Return tests whose parameters change with every collection, so that a missing id is meaningless."""
    known = {_test(name) for name in again if "[" in name}
    return frozenset(_test(name) for name in present if "[" in name and name not in again) & known


def _test(name: str) -> str:
    return name.partition("[")[0]


def _file(name: str) -> str:
    return name.partition("::")[0]
