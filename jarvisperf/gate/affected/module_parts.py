"""A source file in parts: what runs while it is imported, and the bodies of its functions, which run when called.

Both are syntax trees as text, so comments, layout and moved lines change nothing. Whatever else a reader of the module
can see belongs to the import: decorators, defaults, annotations, docstrings, and the order of the definitions.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__call__")


class ModuleParts(NamedTuple):
    """The parts of a source file.

    Attributes:
        on_import: The file without the bodies of its functions.
        functions: The bodies by qualified name, without those of functions inside them; several of one name are one.
        names: For each function, the names and attributes that its body mentions, and its texts that could be names.
        classes: The qualified names of the classes.
    """

    on_import: str
    functions: dict[str, str]
    names: dict[str, frozenset[str]]
    classes: frozenset[str]

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

    def by_last_name(self) -> dict[str, list[str]]:
        """Return the functions by the last part of their name; a class stands for what creates and calls it."""
        found: dict[str, list[str]] = {}
        for name in self.functions:
            found.setdefault(name.rpartition(".")[2], []).append(name)
        for name in self.classes:
            made_by = [f"{name}.{one}" for one in CONSTRUCTORS if f"{name}.{one}" in self.functions]
            found.setdefault(name.rpartition(".")[2], []).extend(made_by)
        return found


def module_parts(source: str) -> ModuleParts:
    """Take a source file apart.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It contains null bytes.
    """
    tree = ast.parse(source)
    reader = _Reader()
    reader.read(tree, "")
    return ModuleParts(
        ast.dump(tree),
        {name: "\n".join(texts) for name, texts in reader.texts.items()},
        {name: frozenset(names) for name, names in reader.names.items()},
        frozenset(reader.classes),
    )


class _Reader:
    """Collects the functions from the innermost outwards, and empties their bodies."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.names: dict[str, set[str]] = {}
        self.classes: set[str] = set()

    def read(self, node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = prefix + child.name
                self.read(child, f"{name}.<locals>.")
                self.texts.setdefault(name, []).append("; ".join(map(ast.dump, child.body)))
                self.names.setdefault(name, set()).update(_names(child.body))
                # Both can be seen without calling it.
                seen = (ast.get_docstring(child, clean=False), _is_generator(child.body))
                child.body = [ast.Expr(ast.Constant(one)) for one in seen]
            elif isinstance(child, ast.ClassDef):
                self.classes.add(prefix + child.name)
                self.read(child, f"{prefix}{child.name}.")
            else:
                self.read(child, prefix)


def _is_generator(body: list[ast.stmt]) -> bool:
    """Return whether a body, without those of functions inside it, yields."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for statement in body for node in ast.walk(statement))


def _names(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.add(node.value)
    return found
