"""What a source file defines: functions, and names with values, each in a form that only its meaning changes.

Two versions of a function are equal if their syntax trees are, without docstrings and annotations, which do not run.
That is stricter than comparing code objects: it includes constants, defaults and decorators, and does not depend on
which Python compiled the file.
"""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef


class FunctionDefinition(NamedTuple):
    """A function or method.

    Attributes:
        first_line: Its first line, decorators included.
        last_line: Its last line.
        decorators: Its decorators, as a canonical text.
        defaults: Its parameters and their defaults, likewise.
        body: Its body, likewise; functions and classes inside it are separate.
        reads: The names that it reads.
        attributes: The attributes that it reads, of whatever object: ``size``; of a name also with it: ``config.size``.
    """

    first_line: int
    last_line: int
    decorators: str
    defaults: str
    body: str
    reads: frozenset[str]
    attributes: frozenset[str]

    def is_same_as(self, other: FunctionDefinition) -> bool:
        """Return whether two versions do the same."""
        return (self.decorators, self.defaults, self.body) == (other.decorators, other.defaults, other.body)


class ValueDefinition(NamedTuple):
    """A name that a module or class assigns, imports or changes; for a class, its bases and decorators.

    Attributes:
        line: The first line that does so.
        text: Its value, as a canonical text.
        shown: Its source.
        reads: The names that its value is computed from.
    """

    line: int
    text: str
    shown: str
    reads: frozenset[str]


class Definitions(NamedTuple):
    """What a file defines.

    Attributes:
        functions: By qualified name; one that is defined again gets a number: ``size``, ``size#2``.
        values: By qualified name.
        imported: The original name of each imported one.
    """

    functions: dict[str, FunctionDefinition]
    values: dict[str, ValueDefinition]
    imported: dict[str, str]


def definitions_in(source: str) -> Definitions:
    """Find what a file defines.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It contains null bytes.
    """
    found = Definitions({}, {}, {})
    tree = ast.parse(source)
    _DefinitionReader(found, source.splitlines()).read(tree.body, "", in_function=False)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.imported.update({(one.asname or one.name).partition(".")[0]: one.name for one in node.names})
    return found


class _DefinitionReader:
    """Collects definitions, statement by statement."""

    def __init__(self, found: Definitions, lines: Sequence[str]) -> None:
        self._found = found
        self._lines = lines

    def read(self, statements: Sequence[ast.stmt], prefix: str, *, in_function: bool) -> None:
        """Collect what statements define.

        Args:
            statements: The statements.
            prefix: The qualified name that they are inside of, with a dot; empty: the module.
            in_function: Whether they are inside a function, whose own names are not definitions.
        """
        for node in statements:
            if isinstance(node, Function):
                name = _free(prefix + node.name, self._found.functions)
                self._found.functions[name] = _function(node)
                self.read(node.body, f"{prefix}{node.name}.<locals>.", in_function=True)
            elif isinstance(node, ast.ClassDef):
                if not in_function:
                    header = [*node.decorator_list, *node.bases, *(word.value for word in node.keywords)]
                    self._define(prefix + node.name, node, ", ".join(map(_text, header)), header)
                self.read(node.body, f"{prefix}{node.name}.", in_function=False)
            else:
                if not in_function:
                    for name, text, values in _bound(node):
                        self._define(prefix + name, node, text, values)
                for inner in _blocks(node):
                    self.read(inner, prefix, in_function=in_function)

    def _define(self, name: str, node: ast.stmt, text: str, values: Sequence[ast.AST]) -> None:
        known = self._found.values.get(name)
        reads = _names([*values])[0]
        shown = " ".join(line.strip() for line in self._lines[node.lineno - 1 : node.end_lineno])
        if known is not None:  # changed in several places
            text, reads, shown = f"{known.text}; {text}", known.reads | reads, known.shown
        self._found.values[name] = ValueDefinition(known.line if known else node.lineno, text, shown, reads)


def _free(name: str, taken: dict[str, FunctionDefinition]) -> str:
    number = 1
    while (candidate := name if number == 1 else f"{name}#{number}") in taken:
        number += 1
    return candidate


def _bound(node: ast.stmt) -> Iterator[tuple[str, str, list[ast.AST]]]:
    """Yield the names that a statement binds or changes, how as a canonical text, and the expressions of the values."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        source = f"{'.' * node.level}{node.module or ''}:" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            yield name, f"{source}{alias.name if alias.asname or source else name}", []
        return
    pairs: list[tuple[ast.expr, ast.expr | None]] = []
    if isinstance(node, ast.Assign | ast.Delete):
        pairs = [(target, getattr(node, "value", None)) for target in node.targets]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        pairs = [(node.value.func, node.value)]  # TABLE.update(...)
    elif isinstance(node, ast.For | ast.AsyncFor):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, ast.With | ast.AsyncWith):
        pairs = [(item.optional_vars, item.context_expr) for item in node.items if item.optional_vars is not None]
    for target, value in pairs:
        values = [value] if value is not None else []
        text = " ".join([type(node).__name__, *map(_text, (target, *values))])
        for name in _roots(target):
            yield name, text, [*values]


def _roots(target: ast.expr) -> Iterator[str]:
    """Yield the names at the root of an assignment's target: ``a`` for ``a``, ``a.b``, ``a[0]``; several of a tuple."""
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Starred | ast.Call):
        target = target.func if isinstance(target, ast.Call) else target.value
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _roots(part)


def _blocks(node: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """Yield the blocks of a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(node, name, [])
    for handler in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield handler.body


def _function(node: Function) -> FunctionDefinition:
    body = [_bare(statement) for statement in _without_docstring(node.body)]
    arguments = copy.deepcopy(node.args)
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    reads, attributes = _names([*node.decorator_list, arguments, *body])
    body = _with_numbered_locals(body, node)
    kind = type(node).__name__
    return FunctionDefinition(
        first_line=min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]),
        last_line=node.end_lineno or node.lineno,
        decorators=", ".join(map(_text, node.decorator_list)),
        defaults=_text(arguments),
        body=f"{kind}: {'; '.join(map(_text, body))}",
        reads=reads,
        attributes=attributes,
    )


def _without_docstring(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    first = body[0]
    value = first.value if isinstance(first, ast.Expr) else None
    return body[1:] if isinstance(value, ast.Constant) and isinstance(value.value, str) else body


class _Bare(ast.NodeTransformer):
    """Replaces functions inside a function by their names, and leaves out annotations of local variables."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # ast's name
        return ast.Global([node.name])

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:  # ast's name
        return ast.Global([node.name])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:  # ast's name
        self.generic_visit(node)
        return ast.Assign([node.target], node.value, lineno=0) if node.value is not None else ast.Pass()


def _bare(statement: ast.stmt) -> ast.AST:
    made: ast.AST = _Bare().visit(copy.deepcopy(statement))
    return made


def _with_numbered_locals(body: list[ast.AST], node: Function) -> list[ast.AST]:
    """Replace the names of local variables by numbers, so that renaming one changes nothing.

    Functions inside this one may use its variables by name, so then the names stay.
    """
    if any(isinstance(inner, Function | ast.Lambda | ast.ClassDef) for one in node.body for inner in ast.walk(one)):
        return body
    all_nodes = [inner for one in body for inner in ast.walk(one)]
    names = [inner for inner in all_nodes if isinstance(inner, ast.Name)]
    bound = {name.id for name in names if not isinstance(name.ctx, ast.Load)}
    elsewhere = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
    for inner in all_nodes:  # names that are bound in other ways: global, except, import, match
        elsewhere.update(getattr(inner, "names", ()) if isinstance(inner, ast.Global | ast.Nonlocal) else ())
        if isinstance(inner, ast.ExceptHandler | ast.MatchAs | ast.MatchStar | ast.alias | ast.MatchMapping):
            elsewhere.update(
                str(value) for field in ("name", "asname", "rest") if (value := getattr(inner, field, None))
            )
    if "locals" in {name.id for name in names}:
        return body
    numbers: dict[str, str] = {}
    for name in names:
        if name.id in bound - elsewhere:
            name.id = numbers.setdefault(name.id, f"local {len(numbers)}")
    return body


def _text(node: ast.AST) -> str:
    return ast.dump(node)


def _names(nodes: Sequence[ast.AST]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names and the attributes that syntax trees read, without names that they bind themselves."""
    all_nodes = [inner for node in nodes for inner in ast.walk(node)]
    names = [node for node in all_nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in all_nodes if isinstance(node, ast.arg)}
    return (
        frozenset(node.id for node in names if node.id not in bound),
        frozenset(name for node in all_nodes if isinstance(node, ast.Attribute) for name in _attribute(node)),
    )


def _attribute(node: ast.Attribute) -> Iterator[str]:
    yield node.attr
    if isinstance(node.value, ast.Name):
        yield f"{node.value.id}.{node.attr}"
