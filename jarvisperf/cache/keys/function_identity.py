"""What tells a function from every other function, besides its name: where its code comes from and what it captures.

Two projects may both have a module ``helpers`` with a function ``settings``, two notebooks a function ``load``, and one
function may define many local ones that differ in what they close over. So a key contains a digest of

- the origin of the module: nothing for modules of the standard library and of installed distributions, whose names are
  unique in an environment; the project's folder for other modules; the text of a ``python -c`` program; the notebook,
  or, where nothing identifies the program, the process. If ``JARVISPERF_NAMESPACE`` is set, it takes the place of the
  project's folder, so that hosts with different folders share results;
- for lambdas, local functions and functions of notebooks, their code;
- what the function closed over when it was decorated: by value if that is immutable, otherwise the function object
  itself, whose results then belong to it and to this process;
- the object that a bound method is bound to, in the same way;
- the decorators below ``@cached`` and the immutable values that they closed over;
- the version that ``@cached`` was given, whether it stores exceptions, and the arguments that it ignores.

``namesakes.py`` tells apart what is still alike, such as a function that is defined twice in a module.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
import types
import uuid
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.values.codec import encode
from jarvisperf.cache.values.isolation import PLAIN
from jarvisperf.cache.values.object_identity import MAIN_MODULES, has_identity, identity_of
from jarvisperf.cache.values.scalars import LEAVES, UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Function = Callable[..., object]

NAMESPACE_VARIABLE: Final = "JARVISPERF_NAMESPACE"
SOURCE: Final = "source"
UNKNOWN: Final = object()
"""Stands for what identifies a value that may change."""
_DIGEST_BYTES: Final = 16
_PROJECT_FILES: Final = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_LIBRARIES: Final = tuple(
    Path(sysconfig.get_path(name))
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if sysconfig.get_path(name)
)
_this_process: Final = uuid.uuid4().hex  # a forked child has its parent's functions, so it may have the token as well


def digest_of(
    function: Function,
    version: str | int | None = None,
    depends_on: Iterable[Function] = (),
    *,
    keeps_errors: bool = False,
    ignored: Iterable[str] = (),
    within: tuple[object, ...] = (),
) -> bytes:
    """Return the digest that tells a function from others of its name; empty if the name suffices.

    Args:
        function: The function.
        version: A version of its results; "source": its own source and that of the functions it depends on.
        depends_on: These functions.
        keeps_errors: Whether its exceptions are cached; other programs must not take one for a result.
        ignored: The names of the arguments that its keys leave out.
        within: The functions that close over it and are being digested, which it may close over as well.

    Raises:
        TypeError: The version is not a str, an int or None; or it is "source" and a source is not available.
    """
    within = (*within, function)
    parts: list[object] = [origin_of(function), *_code_and_captured(function, within), *_around(function, within)]
    if version is not None:
        parts.append(["version", *_version(function, version, depends_on)])
    if keeps_errors:
        parts.append("errors")
    if ignored := sorted(ignored):
        parts.append(["ignored", *ignored])
    if not any(parts):
        return b""
    return blake2b(encode(parts), digest_size=_DIGEST_BYTES).digest()


# --- where a function's module comes from


def origin_of(function: Function) -> str:
    """Return what identifies the program or project that a function belongs to; empty if its module's name does."""
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        return _unfiled(function)
    return os.environ.get(NAMESPACE_VARIABLE) or _origin_of_file(str(file))


def _unfiled(function: Function) -> str:
    if function.__module__ not in MAIN_MODULES:
        code = _code(function)
        if code is None:  # a built-in function
            return ""
        # Text that exec ran may have been run with other globals as well, so nothing identifies its functions.
        return f"exec {uuid.uuid4().hex}" if code.co_filename.startswith("<") else code.co_filename
    notebook = getattr(sys.modules.get("__main__"), "__vsc_ipynb_file__", None) or os.environ.get("JPY_SESSION_NAME")
    if notebook:
        return f"notebook {notebook}"
    if "-c" in sys.orig_argv[1:]:
        return f"command {sys.orig_argv[1:]}"
    return f"process {_this_process}"


@functools.lru_cache(maxsize=1000)
def _origin_of_file(file: str) -> str:
    path = Path(file).absolute()
    if any(path.is_relative_to(library) for library in _LIBRARIES) or "site-packages" in path.parts:
        return ""
    return _origin_of_project(project_root(path.parent))


@functools.lru_cache(maxsize=100)
def _origin_of_project(root: Path) -> str:
    name = _project_name(root)
    return f"distribution {name}" if name is not None and _is_installed(name) else f"folder {root}"


def project_root(folder: Path) -> Path:
    """Return the nearest folder upward that a project's files mark; the folder itself if there is none."""
    for candidate in (folder, *folder.parents):
        if any((candidate / name).exists() for name in _PROJECT_FILES):
            return candidate
    return folder


def project_namespace() -> str:
    """Return a namespace for the project that this process runs: of its program, or of the working folder.

    A program that is installed, such as a server's command, belongs to no project; then the working folder does.
    """
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(file).absolute().parent if file else Path.cwd()
    if folder.is_relative_to(sys.prefix) or any(folder.is_relative_to(library) for library in _LIBRARIES):
        folder = Path.cwd()
    root = project_root(folder)
    name = "".join(letter if letter.isalnum() else "-" for letter in root.name) or "root"
    return f"jarvisperf-{name}-{blake2b(str(root).encode(), digest_size=4).hexdigest()}"


def _project_name(root: Path) -> str | None:
    import tomllib

    try:
        table: Any = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        name = table["project"]["name"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _is_installed(name: str) -> bool:
    from importlib import metadata  # takes longer to load than the rest of this package

    try:
        metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return True


# --- what a function is, besides its name


def _code_and_captured(function: Function, within: tuple[object, ...]) -> list[object]:
    code = _code(function)
    if code is None or not is_known_by_code(function):
        return []
    return [_text_of(code), _captured(inspect.unwrap(function), code, within)]


def is_known_by_code(function: Function) -> bool:
    """Return whether a function's name does not last: it is local, a lambda, or of a notebook."""
    module = sys.modules.get(function.__module__)
    is_local = "<locals>" in function.__qualname__ or "<lambda>" in function.__qualname__
    return is_local or (function.__module__ in MAIN_MODULES and not hasattr(module, "__file__"))


def _code(function: Function) -> types.CodeType | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code if isinstance(code, types.CodeType) else None


def _text_of(code: types.CodeType) -> list[object]:
    constants = [_text_of(part) if isinstance(part, types.CodeType) else _by_value(part) for part in code.co_consts]
    return [code.co_code, constants, list(code.co_names), list(code.co_freevars)]


def _captured(function: object, code: types.CodeType, within: tuple[object, ...]) -> list[object]:
    return [
        [name, uuid.uuid4().hex if value is UNKNOWN else value] for name, value in _closed_over(function, code, within)
    ]


def _closed_over(
    function: object, code: types.CodeType, within: tuple[object, ...] = ()
) -> Iterator[tuple[str, object]]:
    """Yield the names that a function closes over, and what identifies their values: UNKNOWN if nothing does."""
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            yield name, _by_value(cell.cell_contents, within)
        except ValueError:  # not assigned yet: the function itself, or what is defined below it
            continue
        except UnencodableError:
            yield name, UNKNOWN


def _by_value(value: object, within: tuple[object, ...] = ()) -> object:
    """Return what identifies an immutable value.

    Raises:
        UnencodableError: It may change, or nothing identifies it in another process.
    """
    kind = type(value)
    if kind in PLAIN or kind in LEAVES:
        return value
    if value is Ellipsis:
        return ["Ellipsis"]
    if isinstance(value, tuple | frozenset) and kind in {tuple, frozenset}:
        parts = [_by_value(part, within) for part in value]
        return [kind.__name__, parts if kind is tuple else sorted(map(encode, parts))]
    if isinstance(value, types.ModuleType):
        return ["module", value.__name__]
    if isinstance(value, types.FunctionType):
        place = next((place for place, function in enumerate(within) if function is value), None)
        digest = digest_of(value, within=within) if place is None else place
        return ["function", value.__module__, value.__qualname__, digest]
    return ["identity", encode(identity_of(value), identity_of)]


# --- what surrounds a function: decorators, and the object that it is bound to


def _layers(function: object) -> Iterator[object]:
    """Yield a function, what it wraps, what that wraps, and so on."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def _around(function: Function, within: tuple[object, ...]) -> list[object]:
    found: list[object] = []
    for layer in _layers(function):
        owner = getattr(layer, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            found.append(["bound", _by_value_or_private(owner, within)])
        if isinstance(layer, functools.partial):
            bound = (layer.args, *sorted(layer.keywords.items()))
            found.append(["partial", _by_value_or_private(bound, within)])
        elif isinstance(layer, types.FunctionType) and hasattr(layer, "__wrapped__"):
            code = layer.__code__
            known = [[name, value] for name, value in _closed_over(layer, code, within) if value is not UNKNOWN]
            found.append(["decorator", layer.__globals__.get("__name__"), code.co_qualname, known])
    return found


def _by_value_or_private(value: object, within: tuple[object, ...]) -> object:
    try:
        return _by_value(value, within)
    except UnencodableError:
        return uuid.uuid4().hex


def exact_parts(function: Function) -> list[object] | None:
    """Return the code of a function and of its decorators with what they closed over; None if nothing identifies that.

    What a partial object or a bound method holds is part of the function's digest already.
    """
    found: list[object] = []
    for layer in _layers(function):
        inner = getattr(layer, "__func__", layer)
        if isinstance(inner, types.FunctionType):
            captured = list(_closed_over(inner, inner.__code__, (function,)))
            if any(value is UNKNOWN for _, value in captured):
                return None
            found.append([_text_of(inner.__code__), [list(pair) for pair in captured]])
        elif not isinstance(inner, functools.partial | types.BuiltinFunctionType):
            return None
    return found


def is_private(function: Function) -> bool:
    """Return whether a function is bound to an object that nothing identifies in another process."""
    owner = getattr(function, "__self__", None)
    return owner is not None and not isinstance(owner, types.ModuleType) and not has_identity(owner)


# --- versions


def _version(function: Function, version: str | int, depends_on: Iterable[Function]) -> list[object]:
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise TypeError(f'version is {version!r}: give a str, an int, or "source"')
    if version != SOURCE:
        return [version]
    return [_source(part) for part in (function, *depends_on)]


def _source(function: Function) -> str:
    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError) as error:
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f'version is "source", but the source of {name} is not available: {error}') from None
