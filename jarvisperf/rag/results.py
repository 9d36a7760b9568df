"""Immutable results of searches and ingestions."""

# No postponed annotations here: msgspec evaluates them when it builds the decoder.

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import msgspec

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = str | int | float | bool | tuple[Scalar, ...] | None


class Metadata(dict[str, Value]):
    """A read-only dictionary: results are shared by all who ask the same; ``dict(metadata)`` is a copy to change."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the metadata of a result is read-only: change a copy, dict(metadata)")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["Metadata"], tuple[dict[str, Value]]]:
        return Metadata, (dict(self),)


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """One passage that a search found.

    Attributes:
        id: The id of the passage in the collection.
        text: The passage itself.
        score: Cosine similarity to the query, from -1 to 1.
        metadata: What was stored with the text: a read-only dictionary; lists have become tuples.
        source: Where the passage came from: a file's path as it was added (of an absolute path, only the file's name),
            else ``metadata["source"]``, or None.
    """

    id: str
    text: str
    score: float
    metadata: Mapping[str, Value] = msgspec.field(default_factory=dict)
    source: str | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "metadata", _frozen(self.metadata))

    def __hash__(self) -> int:
        return hash((self.id, self.text, self.score))

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], "SearchResult"], tuple[dict[str, Any]]]:
        return _from_dict, (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary, for example for JSON."""
        return {
            "id": self.id,
            "text": self.text,
            "score": self.score,
            "metadata": dict(self.metadata),
            "source": self.source,
        }


class SearchResults(list[SearchResult]):
    """What a search found, best first: a list that says whether it is complete.

    Attributes:
        complete: Whether the query was compared with every passage. False while many passages wait for their vectors:
            those that share words with the query were compared, the others were not.
        problem: Why the vectors are not being computed, if that has failed; else None.
    """

    complete: bool = True
    problem: str | None = None


class Context(str):  # noqa: SLOT000 - an incomplete one has attributes of its own
    """A context for a language model: a string that says whether the search behind it was complete.

    Its attributes are read-only, because a cached context is shared by all who ask the same.

    Attributes:
        complete: As in :class:`SearchResults`.
        problem: As in :class:`SearchResults`.
    """

    complete: bool = True
    problem: str | None = None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} cannot be set: a context is read-only, because others may get the same one")

    def incomplete(self, problem: str | None) -> "Context":
        """Return a copy that says that the search was not complete, and why."""
        context = Context(self)
        vars(context).update(complete=False, problem=problem)
        return context


class StoredPassage(msgspec.Struct, frozen=True, kw_only=True):
    """One passage as it is stored.

    Attributes:
        id: Its id in the collection.
        text: The passage itself.
        metadata: What was stored with the text: a read-only dictionary; lists have become tuples.
        source: As in :class:`SearchResult`.
    """

    id: str
    text: str
    metadata: Mapping[str, Value] = msgspec.field(default_factory=dict)
    source: str | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "metadata", _frozen(self.metadata))

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary, for example for JSON."""
        return {"id": self.id, "text": self.text, "metadata": dict(self.metadata), "source": self.source}


class Failure(msgspec.Struct, frozen=True):
    """A file, or a part of one, that could not be added.

    Attributes:
        path: The file, as given.
        reason: Why it could not be added, or which part of it, for example ``page 3 contains no text``.
    """

    path: str
    reason: str


class AddReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an ingestion.

    Attributes:
        added: New passages.
        replaced: Passages whose id existed with different content, or occurred earlier in the same call.
        unchanged: Passages that were already stored, and were neither embedded nor written again.
        skipped: Empty or blank texts.
        removed: Old passages that were removed.
        waiting: New and replaced passages that are found by words until their vectors are computed.
        embedded: Vectors that the model computed.
        reused: Vectors that were known already, by content.
        failures: Files, and parts of files, that could not be added.
        files: Files that were read.
        unsupported: Files in folders whose type cannot be read.
        missing: Sources whose passages were removed because their folder no longer contains the file.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    removed: int = 0
    waiting: int = 0
    embedded: int = 0
    reused: int = 0
    failures: tuple[Failure, ...] = ()
    files: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __add__(self, other: "AddReport") -> "AddReport":
        names = self.__struct_fields__
        return AddReport(**{name: getattr(self, name) + getattr(other, name) for name in names})


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between a file and its passages in the collection.

    Attributes:
        source: The file's absolute path.
        missing: Passages of the file that are not in the collection.
        orphaned: Passages in the collection that the file does not have, or no longer exists.
        changed: Passages whose metadata has changed, or that another model embedded.
        unread: What of the file could not be read.
    """

    source: str
    missing: int = 0
    orphaned: int = 0
    changed: int = 0
    unread: tuple[str, ...] = ()


def encode_results(results: Sequence[SearchResult]) -> bytes:
    """Pack results as MessagePack."""
    return _encoder.encode(results)


def decode_results(packed: bytes) -> list[SearchResult]:
    """Unpack what :func:`encode_results` packed.

    Raises:
        msgspec.DecodeError: The bytes are not packed results.
    """
    return _decoder.decode(packed)


def _frozen(metadata: Mapping[str, Any]) -> Metadata:
    return Metadata({name: tuple(value) if isinstance(value, list) else value for name, value in metadata.items()})


def _from_dict(fields: dict[str, Any]) -> SearchResult:
    return SearchResult(**fields)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[SearchResult])
