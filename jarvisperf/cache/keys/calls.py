"""The key of one call of a function: the same in every process and at every start of Python."""

from __future__ import annotations

import inspect
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from msgspec.msgpack import Encoder

from jarvisperf.cache.values.codec import encode
from jarvisperf.cache.values.identity import IDENTITY_METHOD, InstanceTokens, has_identity, identity_of, module_name
from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_DIGEST_BYTES: Final = 16
_PLAIN: Final = frozenset({inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD})


_LONGEST_QUICK_CHARACTERS: Final = 500
_quick_encode: Final = Encoder().encode


class KeyMaker:
    """Makes the keys of one function: ``prefix:module.name:digest of the arguments``.

    Calls that give the function the same arguments have the same key, however they spell them: by position, by name,
    or by leaving a default out. 1, 1.0 and True are different arguments, and so are dictionaries of another order
    (the function may well depend on it); sets have no order, and ``**kwargs`` are taken as having none.

    Args:
        function: The function.
        prefix: Stands before the name; may be empty.
        ignore: Names of arguments that have no part in the key.

    Raises:
        TypeError: ``ignore`` is not several names; one str would be a collection of letters.
        ValueError: The function is a lambda, whose name tells nothing, and there is no prefix; or it has no argument
            of a name in ``ignore``.
    """

    def __init__(self, function: Callable[..., object], prefix: str, ignore: Collection[str] = ()) -> None:
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
        self._ignored = frozenset(self._checked_ignored(ignore))
        self._plain_names = None if self._ignored or self._is_method or not self._all_plain else len(self._names)
        self._tokens = InstanceTokens()

    def group(self) -> str:
        """Give what all keys of the function start with, and no other function's."""
        return self._start

    def key(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """Give the key of a call.

        Raises:
            TypeError: An argument has no encoding that other processes would share; the message names it. Or the
                function cannot be called like this.
        """
        if len(args) == 1 == self._plain_names and not kwargs and type(args[0]) is str:
            text = args[0]
            if len(text) <= _LONGEST_QUICK_CHARACTERS and text.isascii():
                # The bytes that encode([text]) would give: a list of one short str.
                return self._start + blake2b(b"\x91" + _quick_encode(text), digest_size=_DIGEST_BYTES).hexdigest()
        values = self._values(args, kwargs)
        try:
            if self._is_method and "self" not in self._ignored and not has_identity(values[0]):
                values[0] = self._tokens.token(values[0])
            encoded = encode(values, identity_of)
        except UnencodableError:
            raise TypeError(self._explain(values)) from None
        return self._start + blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()

    def _values(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
        if not kwargs and self._all_plain and not self._ignored and len(args) == len(self._names):
            return list(args)  # by far the most frequent call, and binding is slow
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = bound.arguments
        if self._extra is not None:
            extra = values[self._extra]
            values[self._extra] = sorted((name, extra[name]) for name in extra if name not in self._ignored)
        if self._ignored:
            return [None if name in self._ignored else value for name, value in values.items()]
        return list(values.values())

    def _checked_ignored(self, ignore: Collection[str]) -> Collection[str]:
        if isinstance(ignore, str):
            raise TypeError(f"ignore is {ignore!r}: give a list or tuple of names, such as ({ignore!r},)")
        if not hasattr(ignore, "__iter__"):
            raise TypeError(f"ignore is {ignore!r}: give a list or tuple of names, such as ('trace',)")
        for name in ignore:
            if name not in self._names and self._extra is None:
                raise ValueError(f"ignore has {name!r} in it: {self.name} takes {', '.join(self._names) or 'nothing'}")
        return ignore

    def _explain(self, values: Sequence[object]) -> str:
        from jarvisperf.cache.values.explain import find_culprit

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
    return f"{module_name(function.__module__)}.{function.__qualname__}"
