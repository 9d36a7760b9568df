"""The store: one immutable object for each run, in a folder or in any place that fsspec reaches, without locks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.runs.backends import OWN_FOLDER, FolderPlace, Place, StoreError, open_place, without_password
from jarvisperf.runs.files import UnreadableRunError
from jarvisperf.runs.model import Run
from jarvisperf.runs.names import (
    FOLDER,
    LATEST,
    Entry,
    check_name,
    is_commit,
    is_name,
    is_token,
    new_token,
    parse_path,
    short_commit,
    utc_time,
)
from jarvisperf.runs.pack import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT_STORE", "Entry", "Found", "Loaded", "RunStore", "StoreError", "Stored", "open_store"]

DEFAULT_STORE = OWN_FOLDER
OUTBOX = f"{OWN_FOLDER}/outbox"

_SHOWN_NAMES = 10


class Stored(msgspec.Struct, frozen=True):
    """What became of a run that was saved.

    Attributes:
        entry: The run's entry.
        where: ``store``; or ``outbox``: the store could not be written, the next save uploads it.
        warnings: What the user should know, a line each.
    """

    entry: Entry
    where: Literal["store", "outbox"]
    warnings: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """Entries that a selector means.

    Attributes:
        entries: Newest first; all of machines with the wanted fingerprint, or none of them.
        same_machine: Whether their machines have the wanted fingerprint.
        warnings: What the user should know, a line each; where nothing was found, why.
    """

    entries: tuple[Entry, ...]
    same_machine: bool
    warnings: tuple[str, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """Runs that could be read.

    Attributes:
        runs: The runs, with their entries, in the order asked for.
        warnings: A line for each that could not be read.
    """

    runs: tuple[tuple[Entry, Run], ...]
    warnings: tuple[str, ...] = ()


class RunStore:
    """Keeps runs.

    Args:
        place: Where the objects lie.
        outbox: Where runs wait while the place cannot be written.
    """

    def __init__(self, place: Place, outbox: FolderPlace) -> None:
        self._place = place
        self._outbox = outbox

    @property
    def shown(self) -> str:
        """The store as messages name it, without passwords."""
        return self._place.shown

    def save(self, run: Run, name: str, token: str | None = None) -> Stored:
        """Store a run. Where the store cannot be written it waits in the outbox; a save that succeeds empties that.

        Args:
            run: The run; its `name` becomes the one given here.
            name: What it is stored under.
            token: What tells it from all others; None: a random one.

        Raises:
            ValueError: The name is not allowed, or the run's time is none.
            StoreError: Neither the store nor the outbox can be written.
        """
        entry = _entry_of(run, check_name(name), token or new_token())
        data = pack(msgspec.structs.replace(run, name=name))
        try:
            self._place.write(entry.path, data)
        except StoreError as error:
            try:
                self._outbox.write(entry.path, data)
            except StoreError as second:
                raise StoreError(f"the run cannot be kept: {error}; and {second}") from error
            waiting = f"{error}; the run waits in {self._outbox.shown} and is uploaded by the next save"
            return Stored(entry, "outbox", (waiting,))
        return Stored(entry, "store", tuple(self.flush()))

    def flush(self) -> list[str]:
        """Upload what waits in the outbox.

        Returns:
            A line for what was uploaded, and one for what could not be.
        """
        uploaded = 0
        try:
            for entry in self.waiting():
                try:
                    data = self._outbox.read(entry.path)
                except FileNotFoundError:  # another process was faster
                    continue
                self._place.write(entry.path, data)
                self._outbox.delete(entry.path)
                uploaded += 1
        except StoreError as error:
            return [f"runs still wait in {self._outbox.shown}: {error}"]
        return [f"{uploaded} earlier run{'s' if uploaded > 1 else ''} uploaded from the outbox"] if uploaded else []

    def waiting(self) -> list[Entry]:
        """List the runs that wait in the outbox, newest first.

        Raises:
            StoreError: The outbox cannot be listed.
        """
        return _newest_first(self._outbox.paths(FOLDER))

    def entries(self, name: str | None = None) -> list[Entry]:
        """List stored runs, newest first; nothing is opened, and objects that are no runs are left out.

        Args:
            name: Those under this name alone; None: all.

        Raises:
            StoreError: The store cannot be reached or listed.
            ValueError: The name is not allowed.
        """
        if name is None:
            return _newest_first(self._place.paths(FOLDER))
        found = _newest_first(self._place.paths(f"{FOLDER}/{check_name(name)}"))
        return [entry for entry in found if entry.name == name]  # without those of `name/more`

    def find(self, selector: str, machine_fingerprint: str | None = None) -> Found:
        """Find the runs that a selector means.

        Args:
            selector: A name; a commit, 7 to 40 digits; a run's token; or ``latest``: the name of the newest run. A
                name goes before a commit.
            machine_fingerprint: Runs of machines with this fingerprint are wanted; those of others are given, with a
                warning, where there are none. None: any machine.

        Raises:
            StoreError: The store cannot be reached or listed.
        """
        matching = self.entries(selector) if is_name(selector) else []
        if not matching:
            everything = self.entries()
            matching = _selected(everything, selector, machine_fingerprint)
            if not matching:
                return Found((), same_machine=False, warnings=(self._nothing(selector, everything),))
        warnings = []
        if is_commit(selector) and all(entry.dirty for entry in matching):
            warnings.append(f"all runs of {selector} were made with uncommitted changes")
        if machine_fingerprint is None:
            return Found(tuple(matching), same_machine=True, warnings=tuple(warnings))
        own = [entry for entry in matching if entry.fingerprint == machine_fingerprint]
        if not own:
            warnings.append(
                f"{selector!r} has no run of a machine like this one, only of others "
                "(another processor, number of cores or Python): less can be told from it"
            )
        return Found(tuple(own or matching), same_machine=bool(own), warnings=tuple(warnings))

    def load(self, entry: Entry) -> Run:
        """Read a run.

        Raises:
            StoreError: It is gone, or the store cannot be reached.
            UnreadableRunError: It is damaged, half-written, or written by a newer version.
        """
        return unpack(self.read_bytes(entry), origin=entry.path)

    def read_bytes(self, entry: Entry) -> bytes:
        """Read a run as it is stored.

        Raises:
            StoreError: It is gone, or the store cannot be reached.
        """
        try:
            return self._place.read(entry.path)
        except FileNotFoundError:
            raise StoreError(f"{self.shown} has no {entry.path} any more") from None

    def load_readable(self, entries: Iterable[Entry], at_most: int | None = None) -> Loaded:
        """Read runs; what cannot be read is skipped with a warning.

        Args:
            entries: Which ones, the most wanted first.
            at_most: How many runs are enough; None: all.
        """
        runs: list[tuple[Entry, Run]] = []
        warnings = []
        for entry in entries:
            if at_most is not None and len(runs) >= at_most:
                break
            try:
                runs.append((entry, self.load(entry)))
            except (StoreError, UnreadableRunError) as error:
                warnings.append(f"skipped: {error}")
        return Loaded(tuple(runs), tuple(warnings))

    def delete(self, entry: Entry) -> None:
        """Delete a run; one that is gone already is no error.

        Raises:
            StoreError: The store cannot be reached or changed.
        """
        self._place.delete(entry.path)

    def superseded(self, keep: int, name: str | None = None) -> list[Entry]:
        """List the runs that are older than the newest of their name and machine.

        Args:
            keep: How many of each name and machine are not listed.
            name: Those under this name alone; None: all.

        Raises:
            StoreError: The store cannot be reached or listed.
        """
        kept: dict[tuple[str, str], int] = {}
        older = []
        for entry in self.entries(name):
            key = (entry.name, entry.fingerprint)
            kept[key] = kept.get(key, 0) + 1
            if kept[key] > keep:
                older.append(entry)
        return older

    def _nothing(self, selector: str, everything: list[Entry]) -> str:
        names = list(dict.fromkeys(entry.name for entry in everything))
        if not names:
            return f"{self.shown} holds no runs"
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        return f"{self.shown} has no run {selector!r}; its names are: {shown}"


def open_store(url: str | Path = DEFAULT_STORE, root: Path | None = None) -> RunStore:
    """Open a store; nothing is made or reached before it is used.

    Args:
        url: A folder, or any URL that fsspec knows (``s3://bucket/folder``, ``memory://runs``).
        root: Where a relative folder begins, and where ``.jarvisperf/outbox`` is made; None: the working folder.

    Raises:
        StoreError: The URL's scheme is unknown, or a package for it is missing.
    """
    root = Path.cwd() if root is None else root.absolute()
    place = open_place(url, root)
    # Each store has an outbox of its own; a change of the password must not make another one.
    digest = hashlib.blake2b(without_password(str(url)).encode(), digest_size=6).hexdigest()
    return RunStore(place, FolderPlace(root / OUTBOX / digest))


def _entry_of(run: Run, name: str, token: str) -> Entry:
    commit = run.commit
    return Entry(
        name=name,
        created=utc_time(run.created),
        fingerprint=run.machine.fingerprint,
        commit=None if commit is None else short_commit(commit.id),
        dirty=commit is not None and commit.dirty,
        token=token,
    )


def _newest_first(paths: Iterable[str]) -> list[Entry]:
    entries = filter(None, map(parse_path, paths))
    return sorted(entries, key=lambda entry: (entry.created, entry.token), reverse=True)


def _selected(entries: list[Entry], selector: str, fingerprint: str | None) -> list[Entry]:
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
    # A run of changed files is not quite a run of its commit.
    return [entry for entry in matching if not entry.dirty] or matching
