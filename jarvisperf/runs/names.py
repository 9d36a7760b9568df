"""Names of stored runs, which contain the essentials of a run so that it need not be opened.

A run under the name ``main`` is the object

    runs/main/20260102T030405.000000Z-0a1b2c3d4e5f-0123456789ab-r5f3a9c01d2.run
              start (UTC)             machine      commit       token

``none`` means no commit, and ``.dirty`` after the commit means uncommitted changes. The token is random, so many
machines can write without a lock.
"""

from __future__ import annotations

import datetime
import functools
import re
import secrets

import msgspec

FOLDER = "runs"
LATEST = "latest"
SUFFIX = ".run"
LONGEST_NAME = 120
NAME_FORMS = (
    "letters, digits, '.', '_', '-', and '/' between parts that start with a letter, a digit or '_', "
    f"at most {LONGEST_NAME} characters, no part that ends with '{SUFFIX}', and not '{LATEST}'"
)

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_COMMIT_CHARACTERS = 12
_TOKEN = re.compile(r"r[0-9a-f]{10}")
_OBJECT = re.compile(
    r"(?P<created>[0-9]{8}T[0-9]{6}\.[0-9]{6}Z)"
    r"-(?P<fingerprint>[0-9a-f]{12})"
    r"-(?P<commit>[0-9a-f]{12}|none)(?P<dirty>\.dirty)?"
    rf"-(?P<token>{_TOKEN.pattern})" + re.escape(SUFFIX)
)


class RunEntry(msgspec.Struct, frozen=True):
    """A stored run, as described by its name.

    Attributes:
        name: The name it is stored under.
        created: When the run started, in UTC.
        fingerprint: The machine's fingerprint.
        commit: The first 12 digits of the commit; None: no commit.
        dirty: Whether the files differed from the commit.
        token: Distinguishes it from all other runs.
    """

    name: str
    created: datetime.datetime
    fingerprint: str
    commit: str | None
    dirty: bool
    token: str

    @property
    def path(self) -> str:
        """The object's path from the store's top."""
        at = self.created  # strftime is slower, and does not pad the year on every system
        time = f"{at.year:04}{at.month:02}{at.day:02}T{at.hour:02}{at.minute:02}{at.second:02}.{at.microsecond:06}Z"
        commit = f"{self.commit or 'none'}{'.dirty' if self.dirty else ''}"
        return f"{FOLDER}/{self.name}/{time}-{self.fingerprint}-{commit}-{self.token}{SUFFIX}"


def check_name(name: str) -> str:
    """Return a name that runs can be stored under.

    Raises:
        ValueError: It is not allowed; the message describes the allowed names.
    """
    parts = name.split("/")
    if (
        len(name) > LONGEST_NAME
        or name == LATEST
        or not all(_PART.fullmatch(part) and not part.endswith(SUFFIX) for part in parts)
    ):
        raise ValueError(f"{name!r} is not a valid name for a run; use {NAME_FORMS}")
    return name


@functools.lru_cache(maxsize=1000)  # most paths of a list have the same name
def is_name(text: str) -> bool:
    """Return whether runs can be stored under a name."""
    try:
        check_name(text)
    except ValueError:
        return False
    return True


def is_object(text: str) -> bool:
    """Return whether a text looks like the last part of a run's path."""
    return _OBJECT.fullmatch(text) is not None


def is_token(text: str) -> bool:
    """Return whether a text looks like a run's token."""
    return _TOKEN.fullmatch(text) is not None


def is_commit(text: str) -> bool:
    """Return whether a text looks like a commit: at least 7 hexadecimal digits."""
    return _COMMIT.fullmatch(text.lower()) is not None


def short_commit(commit: str) -> str | None:
    """Return the part of a commit that an entry contains; None if the text has too few hexadecimal digits."""
    short = commit.lower()[:_COMMIT_CHARACTERS]
    return short if len(short) == _COMMIT_CHARACTERS and is_commit(commit) else None


def new_token() -> str:
    """Return a random token; its ``r`` distinguishes it from a commit."""
    return f"r{secrets.token_hex(5)}"


def parse_path(path: str) -> RunEntry | None:
    """Parse the path of an object; None if it is not a run's."""
    folder, _, rest = path.partition("/")
    name, _, last = rest.rpartition("/")
    match = _OBJECT.fullmatch(last)
    if folder != FOLDER or match is None or not is_name(name):
        return None
    try:
        created = datetime.datetime.fromisoformat(match["created"])  # a tenth of the time that strptime takes
    except ValueError:  # such as month 13
        return None
    return RunEntry(
        name=name,
        created=created,
        fingerprint=match["fingerprint"],
        commit=None if match["commit"] == "none" else match["commit"],
        dirty=match["dirty"] is not None,
        token=match["token"],
    )


def utc_time(text: str) -> datetime.datetime:
    """Parse a time in ISO 8601; without an offset it is UTC.

    Raises:
        ValueError: It is not a valid time.
    """
    try:
        time = datetime.datetime.fromisoformat(text)
        return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time in ISO 8601, like 2026-01-02T03:04:05+00:00") from None
