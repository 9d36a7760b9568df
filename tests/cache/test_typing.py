"""Tests what type checkers see: cached functions keep their signatures, and the documented calls are right."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio

from jarvisperf.cache import SmartCache, cached

cache = SmartCache(None, None)


class Service:
    @cached(cache=cache)
    def embed(self, text: str) -> list[float]:
        return [1.0]

    @cached(cache=cache)
    async def embed_later(self, text: str) -> list[float]:
        return [1.0]

    @classmethod
    @cached(cache=cache)
    def named(cls, number: int) -> str:
        return cls.__name__

    @staticmethod
    @cached(cache=cache)
    def alone(number: int) -> str:
        return "alone"


@cached(cache=cache)
def embed(text: str, *, size: int = 3) -> list[float]:
    return [1.0] * size


@cached(cache=cache, ttl=60)
async def user(id: int) -> str:
    return "Ada"


service = Service()
vector: list[float] = embed("text", size=2)
vector = embed.__wrapped__("text")
vector = service.embed("text")
key: str = embed.cache_key("text")
existed: bool = embed.invalidate("text", size=2)
existed = Service.embed.invalidate(service, "text")
existed = service.embed.invalidate(service, "text")
existed = Service.named.invalidate(Service, 3)
count: int = embed.invalidate_all() + embed.cache_info().hits
name: str = Service.named(3) + service.named(3) + Service.alone(3)


async def main() -> None:
    name: str = await user(3)
    existed: bool = await user.invalidate(3)
    count: int = await user.invalidate_all()
    count = user.cache_info().hits + (await user.cache_info()).misses
    vector: list[float] = await service.embed_later("text")
    existed = await Service.embed_later.invalidate(service, "text")
    await asyncio.gather(asyncio.create_task(user(3)), user.invalidate(3))
    await user("3")  # wrong
    await service.embed_later(3)  # wrong
    number: int = await user(3)  # wrong


embed(3)  # wrong
embed("text", sise=3)  # wrong
embed.invalidate(3)  # wrong
service.embed(12)  # wrong
service.embed("text", nonsense=3)  # wrong
Service.embed.invalidate("text")  # wrong
Service.named("3")  # wrong
Service.alone("3")  # wrong
text: str = embed("text")  # wrong
"""
PROGRAM_OF_OPTIONS = """
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from jarvisperf.cache import SmartCache, cached, cached_many, caching_disabled

cache = SmartCache(None, None)


@cached_many(cache=cache, ttl=timedelta(minutes=5))
def users(ids: Collection[int], *, country: str = "de") -> dict[int, str]:
    return {one: "x" for one in ids}


@cached_many(cache=cache, ttl=lambda user: 60 if user else 5, jitter=0.1, cache_if=lambda user: user is not None)
async def later(ids: list[str]) -> Mapping[str, str | None]:
    return dict.fromkeys(ids, "x")


class Service:
    @cached_many(cache=cache)
    def users(self, ids: Iterable[int]) -> dict[int, str]:
        return {}

    @cached_many(cache=cache)
    async def later(self, ids: Iterable[int], flag: bool = False) -> dict[int, str]:
        return {}

    @classmethod
    @cached_many(cache=cache)
    def of_class(cls, ids: Iterable[int]) -> dict[int, str]:
        return {}

    @staticmethod
    @cached_many(cache=cache)
    def alone(ids: Iterable[int]) -> dict[int, str]:
        return {}


service = Service()
found: dict[int, str] = users([1, 2])
found = users((i for i in range(3)), country="fr")
found = users.refresh({1, 2})
key: str = users.cache_key(1, country="fr")
count: int = users.invalidate([1, 2]) + users.invalidate_all() + users.cache_info().hits
found = service.users([1])
found = Service.users(service, [1])
found = service.users.refresh(service, [1])
count = service.users.invalidate(service, [1])
found = Service.of_class([1])
found = service.of_class([1])
found = Service.alone([1])


async def main() -> None:
    found: dict[str, str | None] = await later(["a"])
    found = await later.refresh(["a"])
    count: int = await later.invalidate(["a"]) + (await later.cache_info()).hits
    of: dict[int, str] = await service.later([1], flag=True)
    await later([1])  # wrong


users(["a"])  # wrong
users(1)  # wrong
users([1], land="x")  # wrong
users.cache_key("a")  # wrong
service.users(["a"])  # wrong
Service.users([1])  # wrong
text: str = users([1])  # wrong


@cached_many(cache=cache)  # wrong
def none(ids: list[int]) -> list[int]:
    return ids


@cached(cache=cache, ttl=timedelta(hours=1), jitter=0.1, cache_errors={LookupError: 30, OSError: timedelta(seconds=1)})
def user(id: int) -> str:
    return "x"


name: str = user.refresh(1)
user.refresh("1")  # wrong
with cache.bypassed(), caching_disabled():
    user(1)
"""
CHECKERS = [name for name in ("mypy", "pyright", "basedpyright") if importlib.util.find_spec(name)]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which mypy keeps what it knows of the library, so that it reads it only once."""
    return tmp_path_factory.mktemp("mypy")


def complaints(checker: str, known: Path, *files: Path) -> dict[str, dict[int, str]]:
    """Return what a checker says about files in one folder, by file and line."""
    command = {
        "mypy": ["mypy", "--strict", "--no-color-output", f"--cache-dir={known}"],
        "pyright": ["pyright", "--level", "error", "--pythonpath", sys.executable],
        "basedpyright": ["basedpyright", "--level", "error", "--pythonpath", sys.executable],
    }[checker]
    names = [file.name for file in files]
    ran = subprocess.run(
        [sys.executable, "-m", *command, *names], cwd=files[0].parent, capture_output=True, text=True, check=False
    )
    assert ran.returncode in {0, 1}, ran.stdout + ran.stderr
    found: dict[str, dict[int, str]] = {name: {} for name in names}
    for name, said in found.items():
        lines = re.findall(rf"^.*{re.escape(name)}:(\d+)[^\n]*?error:? (.*)$", ran.stdout, re.MULTILINE)
        said.update({int(line): message for line, message in lines})
    return found


@pytest.mark.parametrize("program", [PROGRAM, PROGRAM_OF_OPTIONS], ids=["signatures", "options"])
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_cached_function_keeps_its_signature_for(checker, program, tmp_path, known):
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    wrong = {number for number, line in enumerate(program.splitlines(), 1) if line.endswith("# wrong")}
    found = complaints(checker, known, file)[file.name]
    assert set(found) == wrong, found
    assert not [*known.rglob("transformers")], "mypy followed an import into large libraries"


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("page", ["docs/reference/cache.md", "docs/how-to/fastapi-cache.md"])
def test_the_documented_calls_are_right_for(checker, page, tmp_path, known):
    """Blocks that define and call cached functions; the missing rest of a program is not the reader's concern."""
    blocks = re.findall(
        r"^( *)```python[^\n]*\n(.*?)^ *```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    files = []
    for number, (indent, block) in enumerate(blocks):
        if "@cached(" in block or "cache." in block:
            files.append(tmp_path / f"block_{number}.py")
            files[-1].write_text(re.sub(f"^{indent}", "", block, flags=re.MULTILINE), encoding="utf-8")
    found = complaints(checker, known, *files)
    for file in files:
        said = [
            message
            for message in found[file.name].values()
            if "jarvisperf" in message
            or "CachedFunction" in message
            or "attr-defined" in message
            or "call-arg" in message
        ]
        assert not said, f"{said}\n{file.read_text('utf-8')}"
