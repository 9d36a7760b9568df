"""Tests which modules count as imported from outside an arm's checkout, judged by their files."""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
import sysconfig
import types
from pathlib import Path

import msgspec
import pytest
from git_project import GitProject

from jarvisperf.gate.processes.kernel_view import mapped_code
from pytest_jarvisperf.arms.foreign_modules import ForeignModules

ARM, TREE, SITE = Path("/arms/head"), Path("/home/project"), Path("/usr/lib/python3/site-packages")


@pytest.mark.parametrize(
    ("name", "file", "foreign"),
    [
        ("pkg", ARM / "pkg/__init__.py", False),
        ("pkg", SITE / "pkg/__init__.py", True),
        ("pkg._core", SITE / "pkg/_core.so", True),
        ("google.store.deep", SITE / "google/store/deep.py", True),
        ("google.protobuf", SITE / "google/protobuf/__init__.py", False),
        ("google", SITE / "google/__init__.py", False),
        ("pkgutil", SITE / "pkgutil.py", False),
        ("helpers", TREE / "tools/helpers.py", True),
        ("numpy", TREE / ".venv/lib/python3.11/site-packages/numpy/__init__.py", False),
        ("numpy", TREE / "__pypackages__/3.11/lib/numpy/__init__.py", False),
    ],
)
def test_a_module_is_judged_by_its_name_and_its_file(name: str, file: Path, foreign: bool):
    assert ForeignModules([ARM], ["pkg", "google.store"], TREE).is_foreign(name, file) is foreign


def test_the_standard_library_of_an_interpreter_in_the_working_tree_is_no_part_of_the_project():
    library = Path(sysconfig.get_path("stdlib"))
    assert not ForeignModules([ARM], [], library.parents[1]).is_foreign("json", library / "json/__init__.py")


def test_a_module_that_is_loaded_when_it_is_first_used_is_not_woken_and_odd_ones_do_no_harm(
    monkeypatch: pytest.MonkeyPatch,
):
    class Lazy(types.ModuleType):
        def __getattribute__(self, name: str):
            raise AssertionError(f"woken by {name}")

    class Slotted:
        __slots__ = ()

    monkeypatch.setitem(sys.modules, "a_lazy_one", Lazy("a_lazy_one"))
    monkeypatch.setitem(sys.modules, "a_slotted_one", Slotted())
    monkeypatch.setitem(sys.modules, "none_at_all", None)
    odd = types.ModuleType("odd")
    odd.__file__ = object()
    monkeypatch.setitem(sys.modules, "odd", odd)
    assert ForeignModules([ARM], [], TREE).find() == {}


def test_a_module_that_is_imported_again_from_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch):
    foreign = ForeignModules([ARM], ["pkg"], TREE)
    for place, found in ((ARM, {}), (TREE, {"pkg": str(TREE / "pkg/__init__.py")})):
        module = types.ModuleType("pkg")
        module.__file__ = str(place / "pkg/__init__.py")
        monkeypatch.setitem(sys.modules, "pkg", module)
        assert foreign.find() == found
    assert foreign.find() == {}, "each module is reported once"


@pytest.mark.skipif(not mapped_code(), reason="the kernel does not list the libraries of a process")
def test_a_library_of_the_working_tree_is_found_whoever_loaded_it(tmp_path: Path):
    tree = tmp_path.resolve()
    library = tree / "build/libwork.so.1"
    library.parent.mkdir()
    shutil.copy(msgspec._core.__file__, library)
    foreign = ForeignModules([ARM], [], tree)
    assert foreign.find() == {}
    ctypes.CDLL(str(library))
    assert foreign.find() == {"libwork.so.1": str(library)}
    assert foreign.find() == {}, "each library is reported once"


@pytest.mark.skipif(not mapped_code(), reason="the kernel does not list the libraries of a process")
def test_a_compiled_module_is_reported_by_its_own_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library = tmp_path.resolve() / "build/_fast.so"
    library.parent.mkdir()
    shutil.copy(msgspec._core.__file__, library)
    ctypes.CDLL(str(library))
    module = types.ModuleType("pkg._fast")
    module.__file__ = str(library)
    monkeypatch.setitem(sys.modules, "pkg._fast", module)
    foreign = ForeignModules([ARM], ["pkg"], tmp_path.resolve())
    assert foreign.find() == {"pkg._fast": str(library)}
    assert foreign.find() == {}


@pytest.mark.parametrize(
    "file", [ARM / "libwork.so", Path("/usr/lib/libz.so"), TREE / ".venv/lib/python3/site-packages/numpy.libs/libx.so"]
)
def test_libraries_of_the_arm_of_the_system_and_of_installed_packages_are_not_foreign(file: Path):
    assert not ForeignModules([ARM], [], TREE).is_foreign_library(file)


def test_libraries_of_an_environment_in_the_working_tree_are_not_foreign(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "prefix", str(TREE / ".pixi/envs/default"))
    foreign = ForeignModules([ARM], [], TREE)
    assert not foreign.is_foreign_library(TREE / ".pixi/envs/default/lib/libpython3.so")
    assert foreign.is_foreign_library(TREE / "build/libwork.so")


def test_libraries_of_the_system_are_not_foreign_to_a_repository_at_the_root():
    foreign = ForeignModules([ARM], [], Path("/"))
    assert not foreign.is_foreign_library(Path("/usr/lib/libz.so"))
    assert foreign.is_foreign_library(Path("/build/libwork.so"))


WORK = "def work(n): return sum(i * i for i in range(n))\n"


@pytest.fixture
def project(pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Create a project in a namespace that other installed distributions and an empty folder also belong to."""
    site = tmp_path_factory.mktemp("installed") / "site-packages"
    for folder in ("acme/other", "acme/core", "packaging_tool"):
        (site / folder).mkdir(parents=True)
    (site / "acme/other/__init__.py").write_text("VALUE = 1\n")
    (site / "packaging_tool/__init__.py").write_text("VALUE = 1\n")
    made = GitProject(pytester)
    made.words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2")
    made.words += ("--jarvis-threshold=50%", "-p", "no:asyncio")
    made.write("src/acme/core/__init__.py", WORK)
    made.write("packaging_tool/backend/__init__.py", "")
    made.write("pyproject.toml", "[project]\nname = 'acme-core'\nversion = '1'\n")
    made.write(
        "benchmarks/test_bench.py",
        "import acme.core, acme.other, packaging_tool\n"
        "def test_work(jarvis_bench): jarvis_bench(acme.core.work, 500 * acme.other.VALUE)\n",
    )
    monkeypatch.setenv("PYTHONPATH", f"{made.root / 'src'}:{site}", prepend=":")
    made.commit()
    made.write("src/acme/core/__init__.py", WORK.replace("range(n)", "range(3 * n)"))
    return made


def test_other_portions_of_a_namespace_and_an_empty_folder_do_not_keep_it_from_being_compared(project: GitProject):
    project.run()
    (entry,) = json.loads((project.root / "reports/report.json").read_text())["benchmarks"]
    assert entry["metrics"]["time"]["ratio"] > 1.5


def test_a_copy_of_the_projects_part_of_a_namespace_is_named(project: GitProject):
    elsewhere = project.root.parent / "elsewhere"
    (elsewhere / "acme/core").mkdir(parents=True)
    (elsewhere / "acme/core/__init__.py").write_text(WORK)
    project.write("conftest.py", f"import sys\nsys.path.insert(0, {str(elsewhere)!r})\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*imported acme.core from {elsewhere}/acme/core/__init__.py, not from its own*"])
