"""The store of runs: one immutable object per run, in a folder or anywhere that fsspec reaches, without locks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.runs.backends import (
    OWN_FOLDER,
    FolderPlace,
    ListedOnce,
    Place,
    RunStoreError,
    open_place,
    read_each,
    without_password,
)
from jarvisperf.runs.files import UnreadableRunError, pack, unpack
from jarvisperf.runs.model import Run
from jarvisperf.runs.names import (
    FOLDER,
    LATEST,
    RunEntry,
    check_name,
    is_commit,
    is_name,
    is_token,
    new_token,
    parse_path,
    short_commit,
    utc_time,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DEFAULT_STORE", "Loaded", "MatchingRuns", "RunEntry", "RunStore", "RunStoreError", "Stored", "open_store"]

StoreError = RunStoreError  # the name it had before retrieval had an error of that name

DEFAULT_STORE = OWN_FOLDER
PROOFS = "proofs"
OUTBOX = f"{OWN_FOLDER}/outbox"

_SHOWN_NAMES = 10


class Stored(msgspec.Struct, frozen=True):
    """The location of a saved run.

    Attributes:
        entry: The run's entry.
        where: ``store``, or ``outbox`` if the store could not be written; the next save uploads it.
        warnings: Warnings for the user, one line each.
    """

    entry: RunEntry
    where: Literal["store", "outbox"]
    warnings: tuple[str, ...] = ()


class MatchingRuns(msgspec.Struct, frozen=True):
    """The entries that match a selector.

    Attributes:
        entries: Newest first; either all from machines with the requested fingerprint, or none.
        same_machine: Whether their machines have the requested fingerprint.
        warnings: Warnings for the user, one line each; if nothing was found, the reason.
    """

    entries: tuple[RunEntry, ...]
    same_machine: bool
    warnings: tuple[str, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """Runs that could be read.

    Attributes:
        runs: The runs, with their entries, in the requested order.
        warnings: A line for each run that could not be read.
    """

    runs: tuple[tuple[RunEntry, Run], ...]
    warnings: tuple[str, ...] = ()


class RunStore:
    """Keeps runs.

    Args:
        place: The storage for the objects.
        outbox: The storage for runs while `place` cannot be written.

    Attributes:
        place: The storage for the objects.
    """

    def __init__(self, place: Place, outbox: FolderPlace) -> None:
        self.place = place
        self._outbox = outbox

    @property
    def shown(self) -> str:
        """The store's name in messages, without passwords."""
        return self.place.shown

    def at_one_moment(self) -> RunStore:
        """Return this store as it is now, for a command that asks several times what there is."""
        return RunStore(ListedOnce(self.place), self._outbox)

    def save(self, run: Run, name: str, token: str | None = None) -> Stored:
        """Store a run. If the store cannot be written, the run waits in the outbox until the next successful save.

        Args:
            run: The run; its `name` is replaced by the one given here.
            name: The name to store it under.
            token: Distinguishes it from all other runs; None: a random one.

        Raises:
            ValueError: The name is not allowed, or the run's time cannot be parsed.
            UnreadableRunError: What would be stored could not be read again; nothing is stored.
            RunStoreError: Neither the store nor the outbox can be written.
        """
        data = pack(msgspec.structs.replace(run, name=check_name(name)))
        entry = _entry_of(run, name, token or new_token())
        try:
            self.place.write(entry.path, data)
        except RunStoreError as error:
            try:
                self._outbox.write(entry.path, data)
            except RunStoreError as second:
                raise RunStoreError(f"the run cannot be kept: {error}; and {second}") from error
            waiting = f"{error}; the run waits in {self._outbox.shown} and the next save uploads it"
            return Stored(entry, "outbox", (waiting,))
        return Stored(entry, "store", tuple(self.flush()))

    def flush(self) -> list[str]:
        """Upload the runs in the outbox.

        Returns:
            One line with the number of uploaded runs or the reason why they remain in the outbox; an empty list if the
            outbox was empty.
        """
        uploaded = 0
        try:
            for entry in self.waiting():
                try:
                    data = self._outbox.read(entry.path)
                except FileNotFoundError:  # another process was faster
                    continue
                self.place.write(entry.path, data)
                self._outbox.delete(entry.path)
                uploaded += 1
        except RunStoreError as error:
            return [f"runs are still waiting in {self._outbox.shown}: {error}"]
        return [f"{uploaded} earlier run{'s' if uploaded > 1 else ''} uploaded from the outbox"] if uploaded else []

    def waiting(self) -> list[RunEntry]:
        """List the runs that wait in the outbox, newest first.

        Raises:
            RunStoreError: The outbox cannot be listed.
        """
        return _newest_first(self._outbox.paths(FOLDER))

    def exists(self) -> bool:
        """Return whether the store exists; saving the first run creates it.

        Raises:
            RunStoreError: The store cannot be reached.
        """
        return self.place.exists()

    def entries(self, name: str | None = None) -> list[RunEntry]:
        """List stored runs, newest first, without opening any; objects that are not runs are ignored.

        Args:
            name: Only runs under this name; None: all.

        Raises:
            RunStoreError: The store cannot be reached or listed.
            ValueError: The name is not allowed.
        """
        if name is None:
            return _newest_first(self.place.paths(FOLDER))
        found = _newest_first(self.place.paths(f"{FOLDER}/{check_name(name)}"))
        return [entry for entry in found if entry.name == name]  # not those of `name/more`

    def find(self, selector: str, machine_fingerprint: str | None = None) -> MatchingRuns:
        """Find the runs that match a selector.

        Args:
            selector: A name; a commit of 7 to 40 digits; a run's token; or ``latest`` for the name of the newest run.
                A name takes precedence over a commit.
            machine_fingerprint: Prefer runs of machines with this fingerprint; if there are none, those of others are
                returned with a warning. None: any machine.

        Raises:
            RunStoreError: The store cannot be reached or listed.
        """
        matching = self.entries(selector) if is_name(selector) else []
        if not matching:
            everything = self.entries()
            matching = _selected(everything, selector, machine_fingerprint)
            if not matching:
                return MatchingRuns((), same_machine=False, warnings=(self._nothing(selector, everything),))
        warnings = []
        if is_commit(selector) and all(entry.dirty for entry in matching):
            warnings.append(f"all runs of {selector} were made with uncommitted changes")
        if machine_fingerprint is None:
            return MatchingRuns(tuple(matching), same_machine=True, warnings=tuple(warnings))
        own = [entry for entry in matching if entry.fingerprint == machine_fingerprint]
        if not own:
            warnings.append(
                f"{selector!r} has no run from a machine like this one, only from machines with another processor, "
                "number of cores or Python; a comparison with those is less precise"
            )
        return MatchingRuns(tuple(own or matching), same_machine=bool(own), warnings=tuple(warnings))

    def load(self, entry: RunEntry) -> Run:
        """Read a run.

        Raises:
            RunStoreError: It no longer exists, or the store cannot be reached.
            UnreadableRunError: It is damaged, truncated, or written by a newer version.
        """
        try:
            data = self.place.read(entry.path)
        except FileNotFoundError:
            raise RunStoreError(f"{self.shown} no longer has {entry.path}") from None
        return unpack(data, origin=entry.path)

    def read_each(self, entries: Iterable[RunEntry]) -> Iterator[tuple[RunEntry, bytes | RunStoreError]]:
        """Read the stored bytes of runs, several at a time.

        Yields:
            Each entry with its bytes, or with the reason why it cannot be read, in the order of the entries.
        """
        listed = list(entries)
        contents = read_each(self.place, [entry.path for entry in listed])
        for entry, (path, content) in zip(listed, contents, strict=True):
            if isinstance(content, FileNotFoundError):
                content = RunStoreError(f"{self.shown} no longer has {path}")  # noqa: PLW2901  # the same failure, in words
            yield entry, content

    def load_readable(self, entries: Iterable[RunEntry], at_most: int | None = None) -> Loaded:
        """Read runs, skipping those that cannot be read with a warning.

        Args:
            entries: The runs, the most relevant first.
            at_most: Stop after this many; None: read all.
        """
        runs: list[tuple[RunEntry, Run]] = []
        warnings = []
        remaining = list(entries)
        while remaining and (at_most is None or len(runs) < at_most):
            count = len(remaining) if at_most is None else at_most - len(runs)
            chosen, remaining = remaining[:count], remaining[count:]
            for entry, content in self.read_each(chosen):
                try:
                    if isinstance(content, RunStoreError):
                        raise content
                    runs.append((entry, unpack(content, entry.path)))
                except (RunStoreError, UnreadableRunError) as error:
                    warnings.append(f"skipped: {error}")
        return Loaded(tuple(runs), tuple(warnings))

    def delete(self, entry: RunEntry) -> None:
        """Delete a run; a missing one is not an error.

        Raises:
            RunStoreError: The store cannot be reached or changed.
        """
        self.place.delete(entry.path)

    def keep_proof(self, created: str, content: bytes) -> str:
        """Store the JSON of a proof, and return its path in the store.

        Args:
            created: When the proof started, ISO 8601.
            content: The JSON.

        Raises:
            RunStoreError: The store cannot be written.
            ValueError: The time cannot be parsed.
        """
        path = f"{PROOFS}/{utc_time(created):%Y%m%dT%H%M%SZ}-{new_token()}.json"
        self.place.write(path, content)
        return path

    def newest_proof(self) -> bytes:
        """Return the JSON of the newest proof.

        Raises:
            LookupError: There is none.
            RunStoreError: The store cannot be read.
        """
        paths = [path for path in self.place.paths(PROOFS) if path.endswith(".json")]
        if not paths:
            raise LookupError(f"{self.shown} has no proof; make one with: jarvisperf prove")
        return self.place.read(max(paths))

    def superseded(self, keep: int, name: str | None = None) -> list[RunEntry]:
        """List all but the newest runs of each name and machine.

        Args:
            keep: Number of runs of each name and machine to leave out.
            name: Only runs under this name; None: all.

        Raises:
            RunStoreError: The store cannot be reached or listed.
        """
        kept: dict[tuple[str, str], int] = {}
        older = []
        for entry in self.entries(name):
            key = (entry.name, entry.fingerprint)
            kept[key] = kept.get(key, 0) + 1
            if kept[key] > keep:
                older.append(entry)
        return older

    def _nothing(self, selector: str, everything: list[RunEntry]) -> str:
        names = list(dict.fromkeys(entry.name for entry in everything))
        if not names:
            return f"{self.shown} holds no runs"
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        return f"{self.shown} has no run {selector!r}; its names are: {shown}"


def open_store(url: str | Path = DEFAULT_STORE, root: Path | None = None) -> RunStore:
    """Open a store without creating or contacting it yet.

    Args:
        url: A folder, or any URL that fsspec knows (``s3://bucket/folder``, ``memory://runs``).
        root: Base of a relative ``url``, and parent of ``.jarvisperf/outbox``; None: the current folder.

    Raises:
        RunStoreError: The URL's scheme is unknown, or a package for it is missing.
    """
    root = Path.cwd() if root is None else root.absolute()
    place = open_place(url, root)
    # Each store has its own outbox, which a changed password must not replace.
    digest = hashlib.blake2b(without_password(str(url)).encode(), digest_size=6).hexdigest()
    return RunStore(place, FolderPlace(root / OUTBOX / digest))


def _entry_of(run: Run, name: str, token: str) -> RunEntry:
    commit = run.commit
    return RunEntry(
        name=name,
        created=utc_time(run.created),
        fingerprint=run.machine.fingerprint,
        commit=None if commit is None else short_commit(commit.id),
        dirty=commit is not None and commit.dirty,
        token=token,
    )


def _newest_first(paths: Iterable[str]) -> list[RunEntry]:
    entries = filter(None, map(parse_path, paths))
    return sorted(entries, key=lambda entry: (entry.created, entry.token), reverse=True)


def _selected(entries: list[RunEntry], selector: str, fingerprint: str | None) -> list[RunEntry]:
    if selector == LATEST:
        own = [entry for entry in entries if entry.fingerprint == fingerprint]
        newest = next(iter(own or entries), None)
        return [entry for entry in entries if newest is not None and entry.name == newest.name]
    if is_token(selector):
        return [entry for entry in entries if entry.token == selector]
    if not is_commit(selector):
        return []
    prefix = short_commit(selector) or selector.lower()
    matching = [entry for entry in entries if (entry.commit or "").startswith(prefix)]
    # A run with uncommitted changes does not quite measure its commit.
    return [entry for entry in matching if not entry.dirty] or matching
