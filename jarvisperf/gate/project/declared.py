"""Reads which packages a project declares from the configuration of its build backend, without running any of it."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# Where build backends look for a package with the project's name.
USUAL_FOLDERS = ("src", ".", "python", "lib")


class Source(msgspec.Struct, frozen=True):
    """A folder of a project, and the packages in it.

    Attributes:
        folder: The folder to put on the module search path, relative to the project.
        names: Dotted names of packages and modules; empty: whatever is found there.
        include: Patterns of dotted names to include, if `names` is empty.
        exclude: Patterns of dotted names to leave out.
        compiled: Whether the names may be missing from a checkout because a compiler produces them.
    """

    folder: str
    names: tuple[str, ...] = ()
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    compiled: bool = False


def declared_sources(project: Path) -> tuple[Source, ...]:
    """Read what a project's metadata says about its packages.

    Args:
        project: The folder with `pyproject.toml`, `setup.cfg` or `setup.py`.

    Returns:
        Its sources; empty if the metadata does not say or cannot be read. Then the folders decide.
    """
    pyproject = _table(_read_toml(project / "pyproject.toml"))
    tool = _table(pyproject.get("tool"))
    for find in (_setuptools, _hatch, _poetry, _flit, _pdm, _maturin, _scikit_build, _uv):
        if sources := tuple(find(tool)):
            return sources
    if sources := tuple(_setup_cfg(project / "setup.cfg")) or tuple(_setup_py(project / "setup.py")):
        return sources
    name = _table(pyproject.get("project")).get("name") or _table(tool.get("poetry")).get("name")
    if not isinstance(name, str):
        return ()
    backend = str(_table(pyproject.get("build-system")).get("build-backend", "setuptools"))
    if backend.startswith("setuptools") and (project / "src").is_dir():
        return (Source("src"),)
    return tuple(_by_name(project, name, compiled=backend.startswith("maturin")))


def _by_name(project: Path, name: str, *, compiled: bool) -> Iterator[Source]:
    package = re.sub(r"[-.]+", "_", name).lower()
    for folder in USUAL_FOLDERS:
        place = project / folder / package
        if (place / "__init__.py").exists() or place.with_suffix(".py").exists():
            yield Source(folder, (package,), compiled=compiled)
            return
    if compiled:
        yield Source(".", (package,), compiled=True)


def _setuptools(tool: Mapping[str, Any]) -> Iterator[Source]:
    table = _table(tool.get("setuptools"))
    folders = _strings_by_key(table.get("package-dir"))
    packages = table.get("packages")
    if isinstance(packages, list):
        yield from _placed([*_strings(packages), *_strings(table.get("py-modules"))], folders)
    elif isinstance(packages, dict):
        find = _table(packages.get("find"))
        for where in _strings(find.get("where")) or [folders.get("", ".")]:
            yield Source(
                where, (), tuple(_strings(find.get("include"))) or ("*",), tuple(_strings(find.get("exclude")))
            )
        yield from _placed(_strings(table.get("py-modules")), folders)
    elif table.get("py-modules"):
        yield from _placed(_strings(table["py-modules"]), folders)
    elif folders:
        yield from (Source(folder) for name, folder in folders.items() if not name)
        yield from _placed([name for name in folders if name], folders)


def _hatch(tool: Mapping[str, Any]) -> Iterator[Source]:
    build = _table(_table(tool.get("hatch")).get("build"))
    wheel = _table(_table(build.get("targets")).get("wheel"))
    places = _strings(wheel.get("packages")) or _strings(build.get("packages"))
    yield from _paths(places or _strings(wheel.get("only-include")))


def _poetry(tool: Mapping[str, Any]) -> Iterator[Source]:
    packages = _table(tool.get("poetry")).get("packages")
    for entry in packages if isinstance(packages, list) else ():
        include, folder = _table(entry).get("include"), _table(entry).get("from", ".")
        if isinstance(include, str) and isinstance(folder, str):
            name = include.split("/*")[0].strip("/").removesuffix(".py").replace("/", ".")
            if _is_dotted(name):
                yield Source(folder, (name,))


def _flit(tool: Mapping[str, Any]) -> Iterator[Source]:
    name = _table(_table(tool.get("flit")).get("module")).get("name")
    if isinstance(name, str):
        yield from (Source(folder, (name,)) for folder in ("src", "."))


def _pdm(tool: Mapping[str, Any]) -> Iterator[Source]:
    build = _table(_table(tool.get("pdm")).get("build"))
    folder = build.get("package-dir")
    if isinstance(folder, str):
        yield Source(folder)
    else:
        yield from _paths([place for place in _strings(build.get("includes")) if "*" not in place])


def _maturin(tool: Mapping[str, Any]) -> Iterator[Source]:
    table = _table(tool.get("maturin"))
    folder, module = table.get("python-source"), table.get("module-name")
    names = [*_strings(table.get("python-packages"))]
    if isinstance(module, str):
        names.append(module.partition(".")[0])
    if names or isinstance(folder, str):
        yield Source(folder if isinstance(folder, str) else ".", tuple(dict.fromkeys(names)), compiled=True)


def _scikit_build(tool: Mapping[str, Any]) -> Iterator[Source]:
    packages = _table(_table(tool.get("scikit-build")).get("wheel")).get("packages")
    yield from _paths(packages.values() if isinstance(packages, dict) else _strings(packages))


def _uv(tool: Mapping[str, Any]) -> Iterator[Source]:
    table = _table(_table(tool.get("uv")).get("build-backend"))
    folder, names = table.get("module-root", "src"), table.get("module-name")
    chosen = [names] if isinstance(names, str) else _strings(names)
    if isinstance(folder, str) and ("module-root" in table or chosen):
        yield Source(folder or ".", tuple(chosen))


def _setup_cfg(file: Path) -> Iterator[Source]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, configparser.Error):
        return
    if not parser.has_section("options"):
        return
    options = parser["options"]
    folders = dict(_pairs(options.get("package_dir", "")))
    packages = options.get("packages", "").strip()
    modules = _words(options.get("py_modules", ""))
    if packages in {"find:", "find_namespace:"}:
        find = parser["options.packages.find"] if parser.has_section("options.packages.find") else {}
        patterns = {key: _words(find.get(key, "")) for key in ("include", "exclude")}
        yield _searched(find.get("where", "").strip() or folders.get("", "."), patterns)
        yield from _placed(modules, folders)
    else:
        yield from _placed([*_words(packages), *modules], folders)


def _setup_py(file: Path) -> Iterator[Source]:
    """Read the literals in a call of `setup`; what a setup script computes remains unknown."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, SyntaxError, ValueError):
        return
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "setup"):
        given = {word.arg: word.value for word in call.keywords if word.arg}
        folders = _strings_by_key(_literal(given.get("package_dir")))
        packages, modules = given.get("packages"), _strings(_literal(given.get("py_modules")))
        if isinstance(packages, ast.Call) and _called(packages) in {"find_packages", "find_namespace_packages"}:
            found = {word.arg: _literal(word.value) for word in packages.keywords if word.arg}
            where = _literal(packages.args[0]) if packages.args else found.get("where")
            yield _searched(where if isinstance(where, str) else folders.get("", "."), found)
            yield from _placed(modules, folders)
        else:
            yield from _placed([*_strings(_literal(packages)), *modules], folders)


def _searched(folder: str, patterns: Mapping[str, Any]) -> Source:
    include, exclude = (tuple(_strings(patterns.get(key))) for key in ("include", "exclude"))
    return Source(folder, (), include or ("*",), exclude)


def _placed(names: Iterable[str], folders: Mapping[str, str]) -> Iterator[Source]:
    """Find the folder of each name with setuptools' `package_dir`, where the longest prefix of a name wins."""
    for name in names:
        parts = name.split(".")
        prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
        prefix = next((prefix for prefix in prefixes if prefix in folders), None)
        if prefix is None:
            yield Source(folders.get("", "."), (name,))
            continue
        inside, wanted = folders[prefix].strip("/").split("/"), prefix.split(".")
        if inside[-len(wanted) :] == wanted:
            yield Source("/".join(inside[: -len(wanted)]) or ".", (name,))
        else:  # a package named differently from its folder: no search path leads to it
            yield Source(".", (name,), compiled=True)


def _paths(places: Iterable[Any]) -> Iterator[Source]:
    for place in places:
        folder, _, name = str(place).strip("/").removeprefix("./").rpartition("/")
        name = name.removesuffix(".py")
        if name.isidentifier():
            yield Source(folder or ".", (name,))


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, tomllib.TOMLDecodeError):
        return {}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _strings_by_key(value: Any) -> dict[str, str]:
    return {key: folder or "." for key, folder in _table(value).items() if isinstance(folder, str)}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in re.split(r"[\n,]", text):
        name, equals, folder = line.partition("=")
        if equals:
            yield name.strip(), folder.strip() or "."


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _literal(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
