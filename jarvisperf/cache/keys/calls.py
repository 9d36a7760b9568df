"""Keys of function calls, stable across processes and restarts."""

from __future__ import annotations

import inspect
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from msgspec.msgpack import Encoder

from jarvisperf.cache.keys.function_identity import digest_of
from jarvisperf.cache.keys.namesakes import told_apart
from jarvisperf.cache.values.codec import encode
from jarvisperf.cache.values.object_identity import (
    IDENTITY_METHOD,
    InstanceTokens,
    has_identity,
    identity_of,
    module_name,
)
from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

_DIGEST_BYTES: Final = 16
_PLAIN: Final = frozenset({inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD})


_LONGEST_QUICK_CHARACTERS: Final = 500
_SHOWN_DIGITS: Final = 16
_quick_encode: Final = Encoder().encode


class KeyMaker:
    """Makes the keys of one function: ``prefix:module.name:digest of the arguments``.

    Calls with the same arguments have the same key, whether these are passed by position, by name, or as defaults. 1,
    1.0 and True are different arguments, and so are dictionaries in a different order (the function may depend on it).
    The order of sets and of ``**kwargs`` does not matter.

    Args:
        function: The function.
        prefix: Prepended to the name; may be empty.
        ignore: Names of arguments to leave out of the key.
        version: A version of the results; see ``digest_of``.
        depends_on: Functions whose source belongs to the version "source".
        keeps_errors: Whether exceptions of the function are cached; its keys differ from those of the function without.
        key: Computes the end of each key instead of this class; functions of one name with other ones are told apart.

    Raises:
        TypeError: The version is invalid; or ``ignore`` is not a collection of names; a single str is rejected, too.
        ValueError: The function is a lambda, which has no name, and there is no prefix; or ``ignore`` contains a name
            that is not an argument.
    """

    def __init__(
        self,
        function: Callable[..., object],
        prefix: str,
        ignore: Collection[str] = (),
        version: str | int | None = None,
        depends_on: Iterable[Callable[..., object]] = (),
        *,
        keeps_errors: bool = False,
        key: Callable[..., object] | None = None,
    ) -> None:
        self.name = _name(function)
        if "<lambda>" in self.name and not prefix:
            raise ValueError(f"{self.name} has no name of its own: give @cached a key_prefix")
        self._module = module_name(function.__module__)
        self._start = f"{prefix}:{self.name}:" if prefix else f"{self.name}:"
        # A partial object that wraps a function has taken some of that function's arguments.
        self._signature = inspect.signature(function, follow_wrapped=not isinstance(function, partial))
        parameters = self._signature.parameters.values()
        self._names = [parameter.name for parameter in parameters]
        self._all_plain = all(parameter.kind in _PLAIN for parameter in parameters)
        self._extra = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        self._is_method = self._names[:1] == ["self"]
        self._ignored = frozenset(self._checked_ignored(ignore))
        digest = digest_of(function, version, depends_on, keeps_errors=keeps_errors, ignored=self._ignored)
        self._function_digest = told_apart(function, self._start, digest, key)
        # A personal hash function, as BLAKE2 calls it, costs no more than a common one.
        self._hash = partial(blake2b, digest_size=_DIGEST_BYTES, person=self._function_digest)
        self._plain_names = None if self._ignored or self._is_method or not self._all_plain else len(self._names)
        self._tokens = InstanceTokens()

    def group(self) -> str:
        """Return the prefix of all keys of this function; functions of the same name in other programs share it."""
        return self._start

    def own_group(self) -> str:
        """Return a prefix that no other function's keys have, for keys that end in a text of the caller's."""
        return f"{self._start}{self._function_digest.hex()[:_SHOWN_DIGITS]}:" if self._function_digest else self._start

    def key(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """Return the key of a call.

        Raises:
            TypeError: An argument has no encoding that is the same in every process (the message names it), or the
                function does not accept these arguments.
        """
        if len(args) == 1 == self._plain_names and not kwargs and type(args[0]) is str:
            text = args[0]
            if len(text) <= _LONGEST_QUICK_CHARACTERS and text.isascii():
                # The same bytes as encode([text]): a list of one short str.
                return self._start + self._hash(b"\x91" + _quick_encode(text)).hexdigest()
        values = self._values(args, kwargs)
        try:
            if self._has_token(values[0] if values else None):
                values[0] = self._tokens.token(values[0])
            encoded = encode(values, identity_of)
        except UnencodableError:
            raise TypeError(self._explain(values)) from None
        return self._start + self._hash(encoded).hexdigest()

    def is_private(self, args: Sequence[object]) -> bool:
        """Return whether nobody can read a result under the key of a call in another process or after the instance."""
        return bool(args) and self._has_token(args[0])

    def _has_token(self, instance: object) -> bool:
        """Return whether a token stands for this instance, because nothing identifies it in another process."""
        return self._is_method and "self" not in self._ignored and not has_identity(instance)

    def check_owner(self, args: Sequence[object]) -> None:
        """Check that the arguments of a method begin with an instance of its class, or a class method's with the class.

        Raises:
            TypeError: They do not, so they describe no call.
        """
        first, owner = self._names[:1], self.name.rpartition(".")[0]
        if first not in (["self"], ["cls"]) or owner.endswith("<locals>") or owner == self._module:
            return
        given = args[0] if args else None
        classes = given.__mro__ if isinstance(given, type) else type(given).__mro__
        if not any(f"{module_name(base.__module__)}.{base.__qualname__}" == owner for base in classes):
            name = owner.rpartition(".")[2]
            kind, wanted = ("a method", f"an instance of {name}") if first == ["self"] else ("a class method", name)
            raise TypeError(f"{self.name} is {kind}, but the first argument is {given!r}: pass {wanted} first")

    def _values(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
        if not kwargs and self._all_plain and not self._ignored and len(args) == len(self._names):
            return list(args)  # the most common case, and binding is slow
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
                raise ValueError(
                    f"ignore contains {name!r}, but {self.name} takes {', '.join(self._names) or 'no arguments'}"
                )
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
                    f"has no encoding that is the same in every process; its class can define {IDENTITY_METHOD}",
                )
        return f"the arguments of {self.name} cannot be encoded together"


def _name(function: Callable[..., object]) -> str:
    return f"{module_name(function.__module__)}.{function.__qualname__}"
