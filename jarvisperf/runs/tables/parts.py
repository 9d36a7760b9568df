"""Names of the Parquet objects: each holds the results of runs with one name that started in one month.

    parquet/1/main/2026-01-0123456789abcdef0123.parquet
              name month   digest of the content

A part is a copy of what the runs themselves say, so it can be deleted at any time. Its name contains the digest of its
content, so a damaged one is recognized, and it is never changed: a newer one replaces it. The number after the folder
is the version of the columns.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.runs.names import is_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from jarvisperf.runs.backends import Place
    from jarvisperf.runs.names import RunEntry

FOLDER = "parquet/1"
SUFFIX = ".parquet"
DIGEST_BYTES = 10

_PART = re.compile(
    rf"{FOLDER}/(?P<name>.+)/(?P<month>[0-9]{{4}}-[0-9]{{2}})-(?P<digest>[0-9a-f]{{20}}){re.escape(SUFFIX)}"
)


class Group(msgspec.Struct, frozen=True, order=True):
    """The runs that belong into one part.

    Attributes:
        name: The name they are stored under.
        month: The month in UTC in which they started, like ``2026-01``.
    """

    name: str
    month: str


class Part(msgspec.Struct, frozen=True, order=True):
    """A Parquet object, as described by its name.

    Attributes:
        group: The runs that it may hold.
        digest: The digest of its content.
    """

    group: Group
    digest: str

    @property
    def path(self) -> str:
        """The object's path from the store's top."""
        return f"{folder_of(self.group.name)}/{self.group.month}-{self.digest}{SUFFIX}"


def group_of(entry: RunEntry) -> Group:
    """Return the group that a run belongs to."""
    return Group(entry.name, f"{entry.created.year:04}-{entry.created.month:02}")


def part_of(group: Group, content: bytes) -> Part:
    """Return the part with this content."""
    return Part(group, hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest())


def folder_of(name: str | None) -> str:
    """Return the folder that holds the parts of a name; None: of all names."""
    return FOLDER if name is None else f"{FOLDER}/{name}"


def list_parts(place: Place, groups: Collection[Group]) -> list[Part]:
    """List the parts that may hold runs of some groups, in one request for a single name.

    Raises:
        RunStoreError: The place cannot be reached or listed.
    """
    if not groups:
        return []
    names = {group.name for group in groups}
    found = map(parse_part, place.paths(folder_of(names.pop() if len(names) == 1 else None)))
    return sorted(part for part in found if part is not None and part.group in groups)


def parse_part(path: str) -> Part | None:
    """Parse the path of an object; None if it is not a part's."""
    match = _PART.fullmatch(path)
    if match is None or not is_name(match["name"]):
        return None
    return Part(Group(match["name"], match["month"]), match["digest"])
