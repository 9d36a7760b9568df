"""Tests which packages a project owns: from its metadata, its installed distributions or, failing both, its folders."""

from __future__ import annotations

import json
import sys
import types
from typing import TYPE_CHECKING

import pytest

from jarvisperf.gate.project.installed import installed_from
from jarvisperf.gate.project.packages import find_layout

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.gate.project.packages import Layout


def write(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def layout_of(root: Path, files: dict[str, str]) -> Layout:
    for name, text in files.items():
        write(root, name, text)
    return find_layout(root, root, [])


PYPROJECT = {
    "setuptools, listed": '[tool.setuptools]\npackages = ["ours", "ours.sub"]\npackage-dir = {"" = "code"}\n',
    "setuptools, found": '[tool.setuptools.packages.find]\nwhere = ["code"]\nexclude = ["tool*"]\n',
    "setuptools, found by pattern": '[tool.setuptools.packages.find]\nwhere = ["code"]\ninclude = ["ours*"]\n',
    "setuptools, mapped": '[tool.setuptools]\npackages = ["ours"]\npackage-dir = {"ours" = "code/ours"}\n',
    "hatch": '[tool.hatch.build.targets.wheel]\npackages = ["code/ours"]\n',
    "hatch, for all": '[tool.hatch.build]\npackages = ["code/ours"]\n',
    "poetry": '[tool.poetry]\nname = "x"\npackages = [{include = "ours", from = "code"}]\n',
    "pdm": '[tool.pdm.build]\nincludes = ["code/ours"]\n',
    "maturin": '[tool.maturin]\npython-source = "code"\nmodule-name = "ours._core"\n',
    "scikit-build-core": '[tool.scikit-build]\nwheel.packages = ["code/ours"]\n',
    "uv": '[tool.uv.build-backend]\nmodule-name = "ours"\nmodule-root = "code"\n',
}


@pytest.mark.parametrize("pyproject", PYPROJECT.values(), ids=PYPROJECT)
def test_what_the_build_backend_is_told_is_the_projects_and_nothing_else(tmp_path: Path, pyproject: str):
    files = {"code/ours/__init__.py": "", "code/tools/__init__.py": "", "packaging/backend/__init__.py": ""}
    found = layout_of(tmp_path, {**files, "pyproject.toml": pyproject})
    assert found.packages == ("ours",)
    assert found.folders == ("code",)


SETUP = {
    "setup.cfg": "[options]\npackages = find:\npackage_dir =\n    = code\n[options.packages.find]\nwhere = code\n"
    "include = ours*\n",
    "setup.py": "from setuptools import find_packages, setup\n"
    "setup(name=NAME, packages=find_packages('code', exclude=['tools']), package_dir={'': 'code'})\n",
}


@pytest.mark.parametrize("name", SETUP)
def test_older_metadata_is_read_too(tmp_path: Path, name: str):
    files = {"code/ours/__init__.py": "", "code/tools/__init__.py": "", "packaging/backend/__init__.py": ""}
    found = layout_of(tmp_path, {**files, name: SETUP[name]})
    assert (found.packages, found.folders) == (("ours",), ("code",))


@pytest.mark.parametrize("backend", ["hatchling.build", "flit_core.buildapi", "poetry.core.masonry.api"])
@pytest.mark.parametrize("folder", ["src", "."])
def test_where_nothing_is_declared_a_package_that_bears_the_projects_name_is_it(
    tmp_path: Path, backend: str, folder: str
):
    pyproject = f"[build-system]\nbuild-backend = '{backend}'\n[project]\nname = 'Our-Pkg'\n"
    files = {f"{folder}/our_pkg/__init__.py": "", "packaging/backend/__init__.py": "", "pyproject.toml": pyproject}
    found = layout_of(tmp_path, files)
    assert (found.packages, found.folders) == (("our_pkg",), (folder,))


def test_metadata_that_cannot_be_read_or_says_nothing_leaves_it_to_the_folders(tmp_path: Path):
    for number, text in enumerate(
        ("[tool.pytest", "[tool.ruff]\n", "[tool.setuptools]\npackages = 3\n", "project = 1\n")
    ):
        root = tmp_path / str(number)
        found = layout_of(root, {"pyproject.toml": text, "setup.py": "setup(**made())\n(", "pkg/__init__.py": ""})
        assert found.packages == ("pkg",)


def test_of_a_shared_namespace_the_project_owns_only_its_own_packages(tmp_path: Path):
    files = {
        "pyproject.toml": '[tool.hatch.build.targets.wheel]\npackages = ["src/google"]\n',
        "src/google/cloud/store/__init__.py": "",
        "src/google/cloud/store/deep/__init__.py": "",
        "src/google/api/common.py": "",
        "src/google/old/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
        "src/google/old/part.py": "",
    }
    found = layout_of(tmp_path, files)
    assert set(found.packages) == {"google.cloud.store", "google.api.common", "google.old.part"}


def test_a_compiled_package_that_no_checkout_has_is_still_the_projects(tmp_path: Path):
    pyproject = "[build-system]\nbuild-backend = 'maturin'\n[project]\nname = 'fast'\n"
    assert layout_of(tmp_path, {"pyproject.toml": pyproject, "src/lib.rs": ""}).packages == ("fast",)


def install(site: Path, name: str, url: str, files: list[str], *, editable: bool) -> None:
    info = f"{name}-1.dist-info"
    direct = {"url": url, "dir_info": {"editable": editable}}
    write(site, f"{info}/direct_url.json", json.dumps(direct))
    write(site, f"{info}/METADATA", f"Name: {name}\nVersion: 1\n")
    for file in files:  # from Python 3.13 on, missing ones are not listed
        write(site, file)
    write(site, f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))


def test_what_is_installed_from_the_repository_is_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, site = tmp_path / "my repo", tmp_path / "site"
    write(root, "libs/one/setup.py", "setup(packages=['one'])\n")
    write(root, "libs/one/one/__init__.py")
    url = root.as_uri()
    install(site, "one", f"{url}/libs/one", ["__editable__.one-1.pth"], editable=True)
    copied = ["two/__init__.py", "two/sub.py", "two/sub/x.py", "acme/core/__init__.py", "three.cpython-311-x.so"]
    install(site, "two", url, copied, editable=False)
    install(site, "elsewhere", tmp_path.as_uri(), ["other/__init__.py"], editable=False)
    finder = types.ModuleType("__editable___mapped_1_finder")
    finder.MAPPING = {"mapped": str(root / "lib/mapped"), "named": str(root / "lib/otherwise"), "no": "/elsewhere/no"}
    monkeypatch.setitem(sys.modules, finder.__name__, finder)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    found = installed_from(root)
    assert set(found.projects) == {"libs/one", "."}
    assert set(found.packages) == {"two", "acme.core", "three", "mapped", "named"}
    assert found.folders == ("lib",)
    layout = find_layout(root, root, [], found)
    assert "libs/one" in layout.folders
    assert {"one", "two", "acme.core"} <= set(layout.packages)


def test_what_lies_on_the_search_path_without_being_declared_may_be_lacking_but_is_not_owned(tmp_path: Path):
    files = {
        "pyproject.toml": '[tool.hatch.build.targets.wheel]\npackages = ["src/ours"]\n',
        "src/ours/__init__.py": "",
        "packaging/__init__.py": "",
    }
    for name, text in files.items():
        write(tmp_path, name, text)
    found = find_layout(tmp_path, tmp_path, [str(tmp_path)])
    assert found.packages == ("ours",)
    assert set(found.names) == {"ours", "packaging"}
    assert found.folders == ("src", ".")


def test_a_checkout_that_is_reached_through_a_link_is_the_same(tmp_path: Path):
    write(tmp_path, "real/pyproject.toml", '[tool.hatch.build.targets.wheel]\npackages = ["./src/ours"]\n')
    write(tmp_path, "real/src/ours/__init__.py")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    found = find_layout(tmp_path / "link", tmp_path / "link", [])
    assert (found.packages, found.folders) == (("ours",), ("src",))


def test_cython_source_is_the_projects_even_where_nothing_declares_it(tmp_path: Path):
    write(tmp_path, "pyproject.toml", '[tool.setuptools]\npackages = ["ours"]\n')
    for name in ("ours/__init__.py", "ours/fast.pyx", "quick.pyx", "tools.py"):
        write(tmp_path, name)
    assert find_layout(tmp_path, tmp_path, [str(tmp_path)]).packages == ("ours", "quick")


def test_a_namespace_may_hold_nothing_but_cython_source(tmp_path: Path):
    write(tmp_path, "src/shared/fast.pyx")
    assert find_layout(tmp_path, tmp_path, []).packages == ("shared.fast",)
