"""`jarvisperf cache`: inspect a cache, remove entries, and diagnose problems."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jarvisperf.cli.common import FAILED, FAILURE, OK, add_group, add_parser
from jarvisperf.cli.printing import err, out, out_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from jarvisperf.cache import SmartCache

_ABSENT: Final = object()
_SHOWN_TIERS: Final = ("redis", "disk")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands to the parser."""
    kinds = add_group(
        commands,
        "cache",
        "inspect the cache, remove entries, diagnose problems",
        "jarvisperf cache doctor",
        "jarvisperf cache stats",
        "jarvisperf cache keys 'user:*'",
        "jarvisperf cache invalidate 'user:*'",
    )

    keys = _command(kinds, "keys", _keys, "list the keys that match a pattern", "jarvisperf cache keys 'user:*' --ttl")
    keys.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help="such as 'user:*' (default: all keys)")
    keys.add_argument("--ttl", action="store_true", help="also print the remaining seconds of each key")

    stats = _command(kinds, "stats", _stats, "count the entries in Redis and on disk", "jarvisperf cache stats --json")
    stats.add_argument("--json", action="store_true", help="print all statistics as JSON")

    get = _command(kinds, "get", _get, "print the value of a key", "jarvisperf cache get user:17")
    get.add_argument("key", metavar="KEY", help="the key, as given to cache.set")

    ttl = _command(kinds, "ttl", _ttl, "print the remaining seconds of a key", "jarvisperf cache ttl user:17")
    ttl.add_argument("key", metavar="KEY", help="the key, as given to cache.set")

    invalidate = _command(
        kinds,
        "invalidate",
        _invalidate,
        "remove the keys that match a pattern or have a tag",
        "jarvisperf cache invalidate 'user:*'",
        "jarvisperf cache invalidate --tag orders",
    )
    invalidate.add_argument("pattern", metavar="PATTERN", help="such as 'user:*'; * ? [abc] [!abc]")
    invalidate.add_argument("--tag", action="store_true", help="PATTERN is a tag")

    clear = _command(kinds, "clear", _clear, "remove every key of the namespace", "jarvisperf cache clear --yes")
    clear.add_argument("--yes", action="store_true", help="remove them; without it they are only counted")

    doctor = add_parser(
        kinds,
        "doctor",
        "check what works, what does not, and what to do about it",
        "jarvisperf cache doctor --redis redis://localhost:6379/0 --dir none",
        failed=f"something does not work; or {FAILURE}",
    )
    _add_place(doctor)
    doctor.set_defaults(run=_doctor)


def _command(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace, SmartCache], int],
    text: str,
    *examples: str,
) -> argparse.ArgumentParser:
    parser = add_parser(kinds, name, text, *examples)
    _add_place(parser)
    parser.set_defaults(run=lambda words: _run(words, run))
    return parser


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--redis", metavar="URL", help="URL of Redis (default: $JARVISPERF_REDIS_URL); 'none' disables the Redis tier"
    )
    parser.add_argument(
        "--dir", metavar="FOLDER", help="cache folder (default: $JARVISPERF_CACHE_DIR); 'none' disables the disk tier"
    )
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        help="namespace of the keys (default: that of the default cache, which is $JARVISPERF_NAMESPACE or the "
        "project's; with --redis or --dir: jarvisperf)",
    )


def _place(words: argparse.Namespace) -> tuple[str | None, Path | None]:
    from jarvisperf.settings import needed_folder, read_settings

    settings = read_settings()
    url = settings.redis_url if words.redis is None else words.redis
    folder = str(needed_folder(settings.cache_dir, "JARVISPERF_CACHE_DIR")) if words.dir is None else words.dir
    if not folder:
        raise ValueError("--dir is '': give a folder, or 'none' for no disk tier")
    return None if url == "none" else url, None if folder == "none" else Path(folder)


def _namespace(words: argparse.Namespace) -> str:
    """Return the namespace: the given one, that of a cache in a given place, or that of the default cache."""
    if words.namespace is not None:
        return str(words.namespace)
    if words.redis is not None or words.dir is not None:
        return "jarvisperf"
    from jarvisperf.cache.keys.function_identity import project_namespace
    from jarvisperf.settings import read_settings

    return read_settings().namespace or project_namespace()


def _run(words: argparse.Namespace, run: Callable[[argparse.Namespace, SmartCache], int]) -> int:
    from jarvisperf.cache import SmartCache

    try:
        url, folder = _place(words)
        words.namespace = _namespace(words)
        with SmartCache(url, folder, namespace=words.namespace, memory_items=0) as cache:
            stats = cache.get_stats()
            if (url and not stats["redis_available"]) or (folder and not stats["local_cache_available"]):
                err("A tier cannot be used: `jarvisperf cache doctor` says why.")
            status = run(words, cache)
            stats = cache.get_stats()
            if stats["redis_unsettled"] or stats["disk_unsettled"]:
                err("A tier did not receive the change: run this again when it is available.")
                return FAILED
            return status
    except (TypeError, ValueError) as error:
        err(str(error))
        return FAILED


def _stats(words: argparse.Namespace, cache: SmartCache) -> int:
    stats = cache.get_stats()
    if words.json:
        out_json(json.dumps({**stats, "keys": len(cache.keys("*"))}, indent=2))
        return OK
    available = {"redis": stats["redis_available"], "disk": stats["local_cache_available"]}
    out(f"{'keys':8} {len(cache.keys('*'))} in namespace {words.namespace}")
    for tier in _SHOWN_TIERS:
        if not available[tier]:
            out(f"{tier:8} not in use")
        elif tier == "redis":
            out(f"{tier:8} in use")
        else:
            held = stats["tiers"][tier]
            out(f"{tier:8} in use, {held['items']} entries of all namespaces, {held['bytes']:,} bytes")
    return OK


def _keys(words: argparse.Namespace, cache: SmartCache) -> int:
    for key in cache.keys(words.pattern):
        shown = key if key.isprintable() else repr(key)
        if not words.ttl:
            out(shown)
            continue
        seconds = cache.ttl(key)
        if seconds is not None:  # it has not expired in the meantime
            out(f"{_shown_seconds(seconds):>14}  {shown}")
    return OK


def _get(words: argparse.Namespace, cache: SmartCache) -> int:
    value = cache.get(words.key, _ABSENT)
    if value is _ABSENT:
        from jarvisperf.cache.keys.pattern import literal

        is_there = bool(cache.keys(literal(words.key)))
        why = "cannot be shown: only the program that stored it knows its class" if is_there else "is not in the cache"
        err(f"{words.key!r} {why}")
        return FAILED
    out(repr(value))
    return OK


def _ttl(words: argparse.Namespace, cache: SmartCache) -> int:
    seconds = cache.ttl(words.key)
    if seconds is None:
        err(f"{words.key!r} is not in the cache")
        return FAILED
    out(_shown_seconds(seconds))
    return OK


def _shown_seconds(seconds: float) -> str:
    return "never expires" if seconds == math.inf else f"{seconds:.3f}"


def _invalidate(words: argparse.Namespace, cache: SmartCache) -> int:
    removed = cache.invalidate_tag(words.pattern) if words.tag else cache.invalidate(words.pattern)
    out(f"removed {removed}")
    return OK


def _clear(words: argparse.Namespace, cache: SmartCache) -> int:
    count = len(cache.keys("*"))
    if not words.yes:
        out(f"namespace {words.namespace} has {count} keys; give --yes to remove them")
        return FAILED
    cache.clear()
    out(f"removed {count}")
    return OK


def _doctor(words: argparse.Namespace) -> int:
    from jarvisperf.cache.doctor import examine

    try:
        place = _place(words)
    except ValueError as error:
        out(f"✗ {error}")
        return FAILED
    worst = OK
    for finding in examine(*place):
        out(f"{'✓' if finding.works else '·' if finding.works is None else '✗'} {finding.what}")
        if finding.advice:
            out(f"    {finding.advice}")
        if finding.works is False:
            worst = FAILED
    return worst
