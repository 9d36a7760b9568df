"""Turns texts and passages into records, and checks what callers give."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from jarvisperf.rag.store import Record
from jarvisperf.rag.texts import check_unicode, content_id, framed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jarvisperf.rag.documents import Passage

T = TypeVar("T")


def records_of_texts(
    texts: Iterable[str],
    metadatas: Iterable[Mapping[str, Any] | None] | None,
    ids: Iterable[str] | None,
) -> Iterator[Record | None]:
    """One record per text, None for one that is empty or blank; lazily, so texts may be more than memory holds.

    Raises:
        TypeError: The texts are one string, one of them is no string, or a metadata is no dictionary.
        ValueError: There are not as many metadatas or ids as texts, an id repeats or is empty, or a text is not valid
            Unicode.
    """
    if isinstance(texts, str):
        raise TypeError("texts is one string: give a list of strings")
    if not isinstance(texts, Iterable):
        raise TypeError(f"texts is {texts!r}: give a list of strings")
    beside, keys = _listed("metadatas", metadatas), _listed("ids", ids)
    if (beside is not None or keys is not None) and not isinstance(texts, Sized):
        texts = list(texts)
    for name, companions in (("metadatas", beside), ("ids", keys)):
        if companions is not None and isinstance(texts, Sized) and len(companions) != len(texts):
            raise ValueError(f"{len(texts)} texts with {len(companions)} {name}: give as many of both")
    if beside is not None:
        _check_metadatas(beside)
    if keys is not None:
        _check_ids(keys)
    return _records(texts, beside, keys)


def records_of_passages(passages: Iterable[Passage], source: str) -> list[Record]:
    """Records for the passages of a file.

    Their ids follow from the source and the text, not from the position: a passage that moved keeps its id. The same
    text in two files gives two records, so replacing one file leaves the other alone.
    """
    prefix = source_prefix(source)
    seen: Counter[str] = Counter()
    records = []
    for passage in passages:
        occurrence = str(seen[passage.text])
        seen[passage.text] += 1
        digest = hashlib.blake2b(framed(passage.text, occurrence), digest_size=16).hexdigest()
        metadata = {"source": source, "position": passage.position}
        if passage.section is not None:
            metadata["section"] = passage.section
        records.append(Record(f"{prefix}{digest}", passage.text, metadata))
    return records


def source_prefix(source: str) -> str:
    """What the ids of a file's passages begin with."""
    return f"file-{hashlib.blake2b(source.encode(), digest_size=8).hexdigest()}-"


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most ``size`` items."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _records(
    texts: Iterable[str],
    metadatas: Sequence[Mapping[str, Any] | None] | None,
    ids: Sequence[str] | None,
) -> Iterator[Record | None]:
    for index, text in enumerate(texts):
        name = f"text {index}"
        if not isinstance(text, str):
            raise TypeError(f"{name} is a {type(text).__name__}: give strings")
        check_unicode(text, name)
        if not text.strip():
            yield None
            continue
        metadata = metadatas[index] if metadatas is not None else None
        yield Record(ids[index] if ids is not None else content_id(text), text, metadata)


def _listed(name: str, values: Iterable[T] | None) -> list[T] | None:
    if values is None:
        return None
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {values!r}: give a list, one for each text")
    return list(values)


def _check_metadatas(metadatas: Sequence[object]) -> None:
    for index, metadata in enumerate(metadatas):
        if metadata is not None and not isinstance(metadata, Mapping):
            raise TypeError(f"metadata {index} is {metadata!r}: give a dictionary or None")


def _check_ids(ids: Sequence[object]) -> None:
    seen: set[object] = set()
    for index, key in enumerate(ids):
        if not isinstance(key, str) or not key:
            raise ValueError(f"id {index} is {key!r}: give a string of at least one character")
        if key in seen:
            raise ValueError(f"id {key!r} is given twice: each text needs an id of its own")
        seen.add(key)
