"""The key of one call of a function: the same in every process and at every start of Python."""

from __future__ import annotations

import inspect
import sys
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.codec import encode
from jarvisperf.cache.identity import IDENTITY_METHOD, InstanceTokens, has_identity, identity_of
from jarvisperf.cache.leaves import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_DIGEST_BYTES: Final = 16
_MAIN: Final = frozenset({"__main__", "__mp_main__"})
_PLAIN: Final = frozenset({inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD})


class KeyMaker:
    """Makes the keys of one function: ``prefix:module.name:digest of the arguments``.

    Calls that give the function the same arguments have the same key, however they spell them: by position, by name,
    or by leaving a default out. 1, 1.0 and True are different arguments, and so are dictionaries of another order
    (the function may well depend on it); sets have no order, and ``**kwargs`` are taken as having none.

    Args:
        function: The function.
        prefix: Stands before the name; may be empty.

    Raises:
        ValueError: The function is a lambda, whose name tells nothing, and there is no prefix.
    """

    def __init__(self, function: Callable[..., object], prefix: str) -> None:
        self.name = _name(function)
        if "<lambda>" in self.name and not prefix:
            raise ValueError(f"{self.name} has no name of its own: give @cached a key_prefix")
        self._start = f"{prefix}:{self.name}:" if prefix else f"{self.name}:"
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self._names = [parameter.name for parameter in parameters]
        self._all_plain = all(parameter.kind in _PLAIN for parameter in parameters)
        self._extra = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        self._is_method = self._names[:1] == ["self"]
        self._tokens = InstanceTokens()

    def key(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """Give the key of a call.

        Raises:
            TypeError: An argument has no encoding that other processes would share; the message names it. Or the
                function cannot be called like this.
        """
        values = self._values(args, kwargs)
        try:
            if self._is_method and not has_identity(values[0]):
                values[0] = self._tokens.token(values[0])
            encoded = encode(values, identity_of)
        except UnencodableError:
            raise TypeError(self._explain(values)) from None
        return self._start + blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()

    def _values(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
        if not kwargs and self._all_plain and len(args) == len(self._names):
            return list(args)  # by far the most frequent call, and binding is slow
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = bound.arguments
        if self._extra is not None:
            values[self._extra] = sorted(values[self._extra].items())
        return list(values.values())

    def _explain(self, values: Sequence[object]) -> str:
        from jarvisperf.cache.culprit import find_culprit

        for name, value in zip(self._names, values, strict=True):
            try:
                encode(value, identity_of)
            except UnencodableError:
                return find_culprit(
                    value,
                    f"argument {name!r} of {self.name}",
                    identity_of,
                    f"has no encoding that is the same in every process; a class can have a {IDENTITY_METHOD} method",
                )
        return f"the arguments of {self.name} cannot be encoded together"


def _name(function: Callable[..., object]) -> str:
    module = function.__module__
    if module in _MAIN:
        module = _name_of_main(module)
    return f"{module}.{function.__qualname__}"


def _name_of_main(module: str) -> str:
    # Every script is called __main__: two of them, with functions of one name, must not read each other's values.
    main = sys.modules[module]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return str(Path(file).absolute()) if file else module
