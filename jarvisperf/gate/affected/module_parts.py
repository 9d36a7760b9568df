"""A source file in parts: what runs while it is imported, and the bodies of its functions, which run when called.

Both are syntax trees as text, so comments, layout and moved lines change nothing. Whatever else a reader of the module
can see belongs to the import: decorators, defaults, annotations, docstrings, and the order of the definitions.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Decorators that leave a function where it is, reached by its own name. Any other may hand it to someone: a registry.
PLAIN_DECORATORS = frozenset(
    {
        "abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "contextmanager",
        "dataclass", "deleter", "final", "getter", "lru_cache", "overload", "override", "property", "setter",
        "staticmethod", "total_ordering", "wraps",
    }
)  # fmt: skip
LONGEST_FILE_NAME = 255
IMPORTERS = frozenset({"__import__", "import_module", "import_string", "resolve_name"})
_START = re.compile(r"([^\W\d]\w*_)(?:[%{].*)?$")  # of a computed name: "visit_", "visit_%s", "visit_{}"


class ModuleParts(NamedTuple):
    """The parts of a source file.

    Attributes:
        on_import: The file without the bodies of its functions.
        functions: The bodies by qualified name, without those of functions inside them; several of one name are one.
        names: For each function, the names and attributes that its body mentions, and its texts that could be names or
            files.
        classes: The qualified names of the classes, each with the last parts of its bases' names.
        stands_for: For each name that the file gives to a class, a value or an import, the names in its definition.
            An attribute's name begins with a dot, as in `names`.
        imports: For each function, the names in its import statements, and its texts that could be modules; for the
            empty name, those outside of functions.
        handed: Functions and classes that a decorator or another statement may have handed to someone who calls them by
            other means than their name: by the last part of their name, with the names of what they may be handed to.
    """

    on_import: str
    functions: dict[str, str]
    names: dict[str, frozenset[str]]
    classes: dict[str, frozenset[str]]
    stands_for: dict[str, frozenset[str]]
    imports: dict[str, frozenset[str]]
    handed: dict[str, frozenset[str]]

    def function_of(self, name: str) -> str | None:
        """Return the function that a code object belongs to: itself, or one around a lambda or class.

        Args:
            name: The code object's qualified name.

        Returns:
            Its qualified name; empty if it only runs while the file is imported; None if the file has no such code.
        """
        while name not in self.functions:
            above, _, last = name.rpartition(".")
            if last == "<locals>" or last.startswith("<") or name in self.classes:
                name = above
                if not name:
                    return ""
                continue
            return None
        return name

    def class_of(self, function: str) -> str | None:
        """Return the class that a function is a method of; None if it is none."""
        above = function.rpartition(".")[0]
        return above if above in self.classes else None


def is_special(name: str) -> bool:
    """Return whether Python itself calls a method of this name: creation, operators, `with`, attributes."""
    return name.startswith("__") and name.endswith("__")


def module_parts(source: str) -> ModuleParts:
    """Take a source file apart.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It contains null bytes.
    """
    tree = ast.parse(source)
    reader = _PartsReader()
    reader.read(tree, "")
    return ModuleParts(
        on_import=ast.dump(tree),
        functions={name: "\n".join(texts) for name, texts in reader.texts.items()},
        names=_frozen(reader.names),
        classes=_frozen(reader.classes),
        stands_for=_frozen(reader.stands_for),
        imports=_frozen(reader.imports),
        handed=_frozen(reader.handed),
    )


class _PartsReader:
    """Collects the functions from the innermost outwards, and empties their bodies."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.names: dict[str, set[str]] = {}
        self.classes: dict[str, set[str]] = {}
        self.stands_for: dict[str, set[str]] = {}
        self.imports: dict[str, set[str]] = {}
        self.handed: dict[str, set[str]] = {}

    def read(self, node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self._read_function(child, prefix)
            elif isinstance(child, ast.ClassDef):
                self._read_class(child, prefix)
            else:
                if "<locals>" not in prefix:  # a function's own names include what its variables stand for
                    self._read_binding(child)
                self.read(child, prefix)

    def _read_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str) -> None:
        name = prefix + node.name
        self.read(node, f"{name}.<locals>.")
        self.texts.setdefault(name, []).append("; ".join(map(ast.dump, node.body)))
        self.names.setdefault(name, set()).update(_names(node.body))
        self.imports.setdefault(name, set()).update(_imports(node.body))
        self._note_handed(node)
        # Both can be seen without calling it.
        seen = (ast.get_docstring(node, clean=False), _is_generator(node.body))
        node.body = [ast.Expr(ast.Constant(one)) for one in seen]

    def _note_handed(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        if not all(map(_is_plain, node.decorator_list)):
            self._hand(node.name, _names(node.decorator_list))

    def _hand(self, name: str, receivers: set[str]) -> None:
        self.handed.setdefault(name, set()).update(receivers)

    def _read_class(self, node: ast.ClassDef, prefix: str) -> None:
        name = prefix + node.name
        self._note_handed(node)
        self.classes.setdefault(name, set()).update(map(_last_name, node.bases))
        self.read(node, f"{name}.")  # which empties the bodies of its methods
        self.stands_for.setdefault(node.name, set()).update(_names([node]))

    def _read_binding(self, node: ast.AST) -> None:
        if isinstance(node, ast.Expr):
            names = _names([node.value])
            for name in names:
                self._hand(name, names)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.setdefault("", set()).update(_imports([node]))
            for one in node.names:
                if one.asname is not None:
                    self.stands_for.setdefault(one.asname, set()).add(one.name.rpartition(".")[2])
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in _names(targets):
                self.stands_for.setdefault(name.removeprefix("."), set()).update(_names([node.value]))


def _frozen(found: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(names) for name, names in found.items()}


def _is_plain(decorator: ast.expr) -> bool:
    first = decorator
    while not isinstance(first, ast.Name):
        inner = getattr(first, "func", None) or getattr(first, "value", None)
        if inner is None:
            return False
        first = inner
    return first.id == "pytest" or _last_name(decorator) in PLAIN_DECORATORS


def _last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, without what it is called with or subscripted by."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_generator(body: list[ast.stmt]) -> bool:
    """Return whether a body, without those of functions inside it, yields."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for statement in body for node in ast.walk(statement))


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for one in nodes:
        for node in ast.walk(one):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(f".{node.attr}")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(_names_in(node.value))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found.update(alias.name.rpartition(".")[2] for alias in node.names)
    return found


def _names_in(text: str) -> Iterator[str]:
    """Yield the names in a text: a file, the parts of a dotted name, and with a star a part of a computed one."""
    yield text.rpartition("/")[2][:LONGEST_FILE_NAME]
    names = text.split(".") if _is_dotted(text) else []
    start = _START.match(text)
    if start is not None:
        names.append(f"{start[1]}*")
    if text.startswith("_") and text.isidentifier() and not is_special(text):
        names.append(f"*{text}")
    for name in names:
        yield name
        yield f".{name}"


def _imports(body: list[ast.stmt]) -> set[str]:
    """Return the parts of the names of modules that a body may import."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    dotted = [alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    dotted += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    imports_by_text = any(name.removeprefix(".") in IMPORTERS for name in _names(body))
    dotted += [text for text in texts if _is_dotted(text) and (imports_by_text or "." in text)]
    return {part for name in dotted for part in name.split(".")}


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
