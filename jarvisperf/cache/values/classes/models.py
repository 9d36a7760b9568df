"""How pydantic models are stored: as their own JSON, read by their own validation.

A model whose JSON does not lead back to it (an excluded field, a number in a field annotated Any that is an Enum, an
instance of a subclass in a field, a time in a zone such as Europe/Berlin) is not stored. Which fields were set
explicitly is kept as well, because ``exclude_unset`` depends on it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, PydanticUserError, ValidationError
from pydantic.json_schema import PydanticJsonSchemaWarning

from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHAPE_BYTES: Final = 8
_BY_ALIAS: Final[tuple[dict[str, Any], dict[str, Any]]] = ({"by_alias": True}, {})
# A model with different aliases for both directions is read by its fields' names.
_BY_NAME: Final[tuple[dict[str, Any], dict[str, Any]]] = ({"by_alias": False}, {"by_alias": False, "by_name": True})
_WAYS: Final = (_BY_ALIAS, _BY_NAME)

_BESIDES_MEMBERS: Final = ("maxlen", "default_factory")  # of a deque and of a defaultdict

Path = list[Any]


class ModelForm:
    """The JSON of a model, how its fields are named in it, and which fields were set."""

    names: Sequence[str] = ()

    def __init__(self, kind: type[BaseModel]) -> None:
        fields = [(name, str(field.annotation), field.alias) for name, field in kind.model_fields.items()]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PydanticJsonSchemaWarning)  # a default that has no JSON
                schema = json.dumps(kind.model_json_schema(mode="serialization"), sort_keys=True)  # nested models too
        except (PydanticUserError, ValueError, TypeError, AttributeError, LookupError):  # a field that has no schema
            schema = ""
        self.shape = hashlib.blake2b(f"{fields}{schema}".encode(), digest_size=_SHAPE_BYTES).digest()

    def parts(self, value: BaseModel) -> list[Any]:
        """Take a model apart; see `Form.parts`."""
        for number, (dumping, _) in enumerate(_WAYS):
            try:
                text = value.model_dump_json(round_trip=True, warnings=False, **dumping).encode()
                parts = [
                    number,
                    text,
                    [[path, sorted(model.model_fields_set)] for path, model in _partly_set(value, [])],
                ]
                if _is_same(self.rebuilt(type(value), parts), value):
                    return parts
            except (ValueError, TypeError, LookupError, AttributeError):  # pydantic's errors are ValueErrors or these
                continue
        raise UnencodableError(f"pydantic model {type(value).__qualname__} that its own JSON does not lead back to")

    def rebuilt(self, kind: type[BaseModel], parts: list[Any]) -> object:
        """Rebuild a model from its parts; see `Form.rebuilt`."""
        number, text, partly_set = parts
        try:
            model = kind.model_validate_json(text, **_WAYS[number][1])
        except ValidationError as error:
            raise ValueError(str(error)) from None
        for path, names in partly_set:
            at: Any = model
            for step in path:
                at = getattr(at, step) if isinstance(at, BaseModel) else at[step]
            object.__setattr__(at, "__pydantic_fields_set__", set(names))
        return model


def _partly_set(value: Any, path: Path) -> Iterator[tuple[Path, BaseModel]]:
    """Yield the models in a model of which not all fields were set, each with the way to it."""
    if isinstance(value, BaseModel):
        if value.model_fields_set != vars(value).keys() | (value.model_extra or {}).keys():
            yield path, value
        places: Any = {**vars(value), **(value.model_extra or {})}.items()
    elif isinstance(value, dict):
        places = value.items()
    elif isinstance(value, list | tuple | deque):
        places = enumerate(value)
    else:
        return
    for place, part in places:
        yield from _partly_set(part, [*path, place])


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of the same types throughout."""
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseModel):
        return one.model_fields_set == other.model_fields_set and all(
            _is_same(getattr(one, part), getattr(other, part))
            for part in ("__dict__", "__pydantic_extra__", "__pydantic_private__")
        )
    if isinstance(one, list | tuple | deque | dict | set | frozenset):
        return (
            len(one) == len(other)
            and all(getattr(one, name, None) == getattr(other, name, None) for name in _BESIDES_MEMBERS)
            and all(_is_same(member, its) for member, its in _paired(one, other))
        )
    if isinstance(one, datetime.datetime | datetime.time) and not _has_offset_of(one.tzinfo, other.tzinfo):
        return False
    return bool(one == other)


def _has_offset_of(one: datetime.tzinfo | None, other: datetime.tzinfo | None) -> bool:
    """Return whether both are the same zone, or both stand for one offset; JSON keeps the offset of a zone only."""
    if one is None or other is None:
        return one is other
    return one == other or (one.utcoffset(None) is not None and one.utcoffset(None) == other.utcoffset(None))


def _paired(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the members of a container, each with that of the other one in its place."""
    if isinstance(one, set | frozenset):
        its = {member: member for member in other}  # equal members may be of other types: 1 and True
        yield from ((member, its.get(member, other)) for member in one)
        return
    yield from zip(one, other, strict=True)
    if isinstance(one, dict):
        yield from zip(one.values(), other.values(), strict=True)
