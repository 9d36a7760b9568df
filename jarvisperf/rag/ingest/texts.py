"""Turns texts and passages into records, checking the arguments of callers."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jarvisperf.rag.ingest.metadata import checked_metadata, is_storable
from jarvisperf.rag.store.filters import NAME
from jarvisperf.rag.store.records import PassageRecord, mark_of
from jarvisperf.rag.texts import check_unicode, content_id, framed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.rag.ingest.metadata import Metadata
    from jarvisperf.rag.ingest.splitting import Passage

T = TypeVar("T")

_NONE_LEFT: Final = object()
_OF_FILE: Final = "file-"


def records_of_texts(
    texts: Iterable[str],
    metadatas: Iterable[Metadata] | None,
    ids: Iterable[str] | None,
    model: str | None,
) -> Iterator[PassageRecord | None]:
    """Yield one record per text, or None for an empty or blank one. Lazy, so the texts need not fit in memory.

    Lists are checked before anything is stored, generators item by item.

    Raises:
        TypeError: The texts are one string, one of them is not a string, or an entry of ``metadatas`` is not a
            dictionary.
        ValueError: The number of metadatas or ids differs from that of texts, an id repeats or is empty, a text is not
            valid Unicode, or some metadata has a key or a value that cannot be stored.
    """
    if isinstance(texts, str):
        raise TypeError("texts is one string: give a list of strings")
    if not isinstance(texts, Iterable):
        raise TypeError(f"texts is {texts!r}: give a list of strings")
    for name, companions in (("metadatas", metadatas), ("ids", ids)):
        _check_companions(name, companions, texts)
    if metadatas is not None:
        checked = itertools.starmap(checked_metadata, enumerate(metadatas))
        metadatas = list(checked) if isinstance(metadatas, list | tuple) else checked
    if isinstance(ids, list | tuple):
        seen: set[str] = set()
        for index, key in enumerate(ids):
            _check_id(index, key, seen)
    return _records(iter(texts), metadatas, ids, model)


def records_of_passages(passages: Iterable[Passage], source: str, name: str, model: str | None) -> list[PassageRecord]:
    """Return the records of a file's passages.

    Args:
        passages: The passages.
        source: The file's absolute path.
        name: What results and contexts call the file.
        model: The identity of the embedder.

    Their ids derive from the source and the text, not from the position, so a passage that moves keeps its id. The
    same text in two files gives two records, so replacing one file does not affect the other.
    """
    prefix = source_prefix(source)
    seen: Counter[str] = Counter()
    records = []
    for passage in passages:
        occurrence = str(seen[passage.text])
        seen[passage.text] += 1
        digest = hashlib.blake2b(framed(passage.text, occurrence), digest_size=16).hexdigest()
        # What a file says about itself may have any name and value, but not replace ours.
        own = {name: value for name, value in passage.metadata.items() if is_storable(name)}
        metadata: dict[str, Any] = {**own, "source": source, "position": passage.position}
        if passage.section is not None:
            metadata["section"] = passage.section
        mark = mark_of(model, passage.text, metadata)  # without the name: the same file may be named in several ways
        records.append(PassageRecord(f"{prefix}{digest}", passage.text, {**metadata, NAME: name}, mark))
    return records


def source_prefix(source: str) -> str:
    """Return the prefix of the ids of a file's passages."""
    return f"{_OF_FILE}{hashlib.blake2b(source.encode(), digest_size=8).hexdigest()}-"


def is_of_file(key: str) -> bool:
    """Return whether the id of a passage is that of a file's passage."""
    return key.startswith(_OF_FILE)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most ``size`` items."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _records(
    texts: Iterable[str],
    metadatas: Iterable[Metadata] | None,
    ids: Iterable[str] | None,
    model: str | None,
) -> Iterator[PassageRecord | None]:
    seen: set[str] = set()
    remaining_metadatas = None if metadatas is None else iter(metadatas)
    remaining_ids = None if ids is None else iter(ids)
    for index, text in enumerate(texts):
        name = f"text {index}"
        if not isinstance(text, str):
            raise TypeError(f"{name} is of type {type(text).__name__}: give strings")
        check_unicode(text, name)
        metadata = None if remaining_metadatas is None else _next("metadatas", remaining_metadatas, index)
        if remaining_ids is None:
            key = content_id(text, metadata)
        else:
            key = _check_id(index, _next("ids", remaining_ids, index), seen)
        yield PassageRecord(key, text, metadata, mark_of(model, text, metadata)) if text.strip() else None
    for name, companions in (("metadatas", remaining_metadatas), ("ids", remaining_ids)):
        if companions is not None and next(companions, _NONE_LEFT) is not _NONE_LEFT:
            raise ValueError(f"there are more {name} than texts: give one for each text")


def _next(name: str, companions: Iterator[T], index: int) -> T:
    for one in companions:
        return one
    raise ValueError(f"more than {index} texts, but {index} {name}: give one for each text")


def _check_companions(name: str, companions: object, texts: Iterable[str]) -> None:
    if companions is None:
        return
    if isinstance(companions, str | Mapping) or not isinstance(companions, Iterable):
        raise TypeError(f"{name} is {companions!r}: give a list, one for each text")
    if isinstance(companions, Sized) and isinstance(texts, Sized) and len(companions) != len(texts):
        raise ValueError(f"{len(texts)} texts, but {len(companions)} {name}: give one for each text")


def _check_id(index: int, key: Any, seen: set[str]) -> str:
    if not key or not isinstance(key, str):
        raise ValueError(f"id {index} is {key!r}: give a string of at least one character")
    check_unicode(key, f"id {index}")
    if key in seen:
        raise ValueError(f"id {key!r} is given twice: each text needs its own id")
    seen.add(key)
    return key
