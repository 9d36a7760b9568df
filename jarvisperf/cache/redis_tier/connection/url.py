"""Parses and checks the URLs of Redis and Valkey before anything is connected.

Valkey speaks Redis's protocol, so ``valkey`` and ``valkeys`` in a URL mean what ``redis`` and ``rediss`` mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

ALLOWED_FORMS = (
    "redis://host:port[/db], rediss://host:port[/db], redis+sentinel://host:port[,host:port]/master[/db], "
    "redis+cluster://host:port[,host:port] (with TLS: rediss+...) or unix:///path; "
    "for Valkey, valkey and valkeys instead of redis and rediss"
)
_SERVERS = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
"""The client's name for each protocol."""
_SCHEMES = frozenset({"unix", *(server + kind for server in _SERVERS for kind in ("", "+sentinel", "+cluster"))})
_DEFAULT_PORTS = {"sentinel": 26379, "cluster": 6379}
# The cache stores bytes and disables the client's retries; these options would change that.
_FIXED_OPTIONS = frozenset({"decode_responses", "encoding", "encoding_errors", "retry"})
# urlsplit drops tabs, line ends and surrounding blanks, so the client would connect to a different address.
_WHITE_SPACE = re.compile(r"[^\S ]|^ | $|^(?!unix:).* ", re.DOTALL)
# Up to the last @: a URL whose password contains a slash cannot be parsed.
_PASSWORD = re.compile(r"^((?:[\w+]+:)?/*[^:@/]*):.*@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"(?<=[?&]password=)[^&#]*")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The Redis deployment that a URL describes.

    Attributes:
        kind: One server, the master behind Sentinels, or a cluster.
        url: The URL in the client's form: scheme, credentials, first host, database, options.
        hosts: The Sentinels, or the cluster's start-up nodes.
        master: The name of the master in Sentinel.
    """

    kind: Literal["server", "sentinel", "cluster"]
    url: str
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""


def parts_of_deployment(url: str) -> Deployment:
    """Parse a URL that ``check_redis_url`` has accepted."""
    form, _, rest = url.partition("://")
    protocol, _, kind = form.partition("+")
    scheme = _SERVERS.get(protocol, protocol)
    if not kind:
        return Deployment("server", f"{scheme}://{rest}")
    parts = urlsplit(url)
    credentials, at, places = parts.netloc.rpartition("@")
    hosts = tuple(_host(place, _DEFAULT_PORTS[kind]) for place in places.split(","))
    path = [part for part in parts.path.split("/") if part]
    database = path[1] if kind == "sentinel" and len(path) > 1 else ""
    first = f"[{hosts[0][0]}]" if ":" in hosts[0][0] else hosts[0][0]
    plain = urlunsplit((scheme, f"{credentials}{at}{first}:{hosts[0][1]}", f"/{database}", parts.query, ""))
    if kind == "cluster":
        return Deployment("cluster", plain, hosts)
    return Deployment("sentinel", plain, hosts, path[0])


def _host(place: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname or parts.port == 0:
        raise ValueError(f"no host in {place!r}")
    return parts.hostname, parts.port or default_port


def check_redis_url(url: str) -> str:
    """Return the URL if it is valid.

    Args:
        url: The address of a Redis server.

    Raises:
        TypeError: It is not a str.
        ValueError: It is malformed; the message gives the value and the allowed forms.
    """
    if not isinstance(url, str):
        raise TypeError(f"a Redis URL is a str, not {type(url).__name__}: give {ALLOWED_FORMS}")
    fault = _fault(url) or _fault_of_options(url)
    if fault:
        raise ValueError(_message(url, fault))
    return url


def fault_in_client(url: str, error: Exception) -> str:
    """Return the message for a well-formed URL that the Redis client rejects."""
    named = [name for name in _options(url) if repr(name) in str(error)]
    fault = f"has an unsuitable option, {named[0]!r}" if named else "is rejected by the Redis client"
    return _message(url, f"{fault} ({error})")


def without_password(url: str) -> str:
    """Return the URL for messages, with the password replaced by asterisks."""
    return _PASSWORD.sub(r"\1:***@", _PASSWORD_OPTION.sub("***", url))


def _message(url: str, fault: str) -> str:
    return f"Redis URL {without_password(url)!r} {fault}: give {ALLOWED_FORMS}"


def _fault(url: str) -> str | None:
    if _WHITE_SPACE.search(url):
        return "contains white space"
    scheme = url.partition("://")[0]  # as written: the client accepts lower case only
    if "+" in scheme and scheme in _SCHEMES:
        return _fault_of_deployment(url)
    return _fault_of_server(url, scheme)


def _fault_of_server(url: str, scheme: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # the exception's text may contain part of the password
        return "has a host or port that cannot be read"
    if scheme not in _SCHEMES:
        return "has an unknown scheme"
    if scheme == "unix":
        return None if len(parts.path) > 1 else "names no socket path"
    if not parts.hostname or port == 0:
        return "has port 0" if parts.hostname else "names no host"
    return _fault_of_database(parts.path.strip("/"))


def _fault_of_deployment(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        path = [part for part in parts.path.split("/") if part]
        if "+sentinel" in parts.scheme:
            if not path:
                return "names no master"
            if fault := _fault_of_database("/".join(path[1:])):
                return fault
        elif path and path != ["0"]:
            return "names a database, but a cluster has only one"
        parts_of_deployment(url)
    except ValueError:
        return "has a host or port that cannot be read"
    return None


def _fault_of_database(database: str) -> str | None:
    return None if database.isdecimal() or not database else f"has a database that is not a number ({database!r})"


def _fault_of_options(url: str) -> str | None:
    fixed = [name for name in _options(url) if name in _FIXED_OPTIONS]
    return f"has the option {fixed[0]!r}, which the cache sets itself" if fixed else None


def _options(url: str) -> list[str]:
    return [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)]
