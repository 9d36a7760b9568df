"""What a Redis URL may look like, checked before anything is connected."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

ALLOWED_FORMS = "redis://host:port[/db], rediss://host:port[/db] or unix:///path"


def check_redis_url(url: str) -> str:
    """Return the URL as it is, or say what is wrong with it.

    Args:
        url: The address of a Redis server.

    Raises:
        TypeError: It is not a str.
        ValueError: It has none of the allowed forms; the message names the value and the forms.
    """
    if not isinstance(url, str):
        raise TypeError(f"a Redis URL is a str, not {type(url).__name__}: give {ALLOWED_FORMS}")
    fault = _fault(url)
    if fault:
        raise ValueError(f"Redis URL {without_password(url)!r} {fault}: give {ALLOWED_FORMS}")
    return url


def without_password(url: str) -> str:
    """Return the URL for a message: a password in it is replaced by stars."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.password is None:
        return url
    user_info, _, host = parts.netloc.rpartition("@")
    user = user_info.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))


def _fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"cannot be read ({error})"
    if parts.scheme == "unix":
        return None if len(parts.path) > 1 else "names no socket path"
    if parts.scheme not in {"redis", "rediss"}:
        return "has no scheme that is known"
    if not parts.hostname:
        return "names no host"
    if port == 0:
        return "has port 0"
    database = parts.path.strip("/")
    return None if database.isdecimal() or not database else f"has a database that is no number ({database!r})"
