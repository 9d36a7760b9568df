"""Everything that reads what others have made, and what must be true whatever they have put into it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.cache.values.codec import decode
from jarvisperf.cache.values.envelopes.envelope import unseal
from jarvisperf.cli.main import main
from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.files import read_document

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"
STORED = ".jarvisperf/runs/main/2026010{}T000000.000000Z-0123456789ab-none-r000000000{}.run"
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|^[^\\S\n]*::|##\\[", re.MULTILINE)
# A page may name these only escaped: as text, never as an element, a link, a picture, a mention or a headline.
ACTING_IN_HTML = re.compile(r"<script>alert|<img[^>]*evil|href=[\"']?(?:http://evil|javascript)")
ACTING_IN_MARKDOWN = re.compile(
    r"\]\(http://evil|(?<!\\)!\[\]\(|^# A second|(?<![\w\u200b])@evil|(?<!\\)<script", re.MULTILINE
)
ACTING_IN_CSV = re.compile(r"(?:^|,)\"?=HYPERLINK", re.MULTILINE)
LARGEST_OUTPUT = 20_000_000
FOREIGN_TEXT = "secret of another file"


class EffectError(AssertionError):
    """An input had an effect that nobody asked for."""


def command(*words: str) -> str:
    """Run a command as a shell would; return what it printed.

    Raises:
        EffectError: It ended with something other than success or one failure, or printed what acts on a terminal.
    """
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = main(list(words))
    printed = out.getvalue()
    if status not in {0, 1}:
        raise EffectError(f"{words} ended with {status}")
    if found := ACTING.search(printed):
        raise EffectError(f"{words} printed {found[0]!r}: {printed[max(found.start() - 60, 0) : found.end() + 60]!r}")
    if len(printed) > LARGEST_OUTPUT:
        raise EffectError(f"{words} printed {len(printed):,} characters")
    return printed


def read_report(data: bytes) -> None:
    """A report.json that somebody hands over."""
    Path("report.json").write_bytes(data)
    command("report", "report.json", "-o", "out", "--force")
    _check_pages(Path("out"))
    command("compare", "report.json", "report.json")
    command("merge", "report.json", "good_report.json", "-o", "merged")
    _check_pages(Path("merged"))


def read_run(data: bytes) -> None:
    """A run as JSON that somebody hands over."""
    Path("run.json").write_bytes(data)
    command("compare", "run.json", "good_run.json")
    command("compare", "good_run.json", "run.json")


def read_stored(data: bytes) -> None:
    """An object in a store that others write to, between two good ones."""
    for number in (1, 3):
        _write(STORED.format(number, number), (Path("good.run")).read_bytes())
    _write(STORED.format(2, 2), data)
    command("runs", "list")
    command("runs", "show", "main~1")
    command("runs", "diff", "main~1", "main")
    command("history")
    command("report", "main~1", "-o", "out", "--force")
    _check_pages(Path("out"))
    if "2 runs" not in command("history") and "3 runs" not in command("history"):
        raise EffectError("a damaged run hides the good ones")


def read_import(data: bytes) -> None:
    """A file of pytest-benchmark; what is stored can be read again."""
    Path("benchmark.json").write_bytes(data)
    stored = "imported/store"
    printed = command("runs", "import", "benchmark.json", "--name", "main", "--store", stored)
    shown = command("runs", "show", "main", "--store", stored)
    if "1 run stored" in printed and "run r" not in shown:
        raise EffectError(f"what was imported cannot be shown: {shown}")
    _remove("imported")


def read_envelope(data: bytes) -> None:
    """An entry of the cache in Redis or on disk."""
    unseal(data, b"key")
    unseal(data, b"key", b"secret" * 6)


def read_value(data: bytes) -> None:
    """A value inside an entry."""
    decode(data)


def document_reader(suffix: str) -> Callable[[bytes], None]:
    """Return a reader of documents of a type."""

    def read(data: bytes) -> None:
        path = Path(f"document{suffix}")
        path.write_bytes(data)
        with contextlib.suppress(DocumentError):
            passages = read_document(path).passages
            if any(FOREIGN_TEXT in passage.text for passage in passages):
                raise EffectError("a document brought in another file's text")

    return read


JSON_READERS: dict[str, Callable[[bytes], None]] = {
    "report": read_report,
    "run": read_run,
    "stored": read_stored,
    "import": read_import,
}
BYTE_READERS: dict[str, Callable[[bytes], None]] = {
    "envelope": read_envelope,
    "value": read_value,
    **{f"document{suffix}": document_reader(suffix) for suffix in (".md", ".rst", ".html", ".csv", ".ipynb", ".txt")},
}


@contextlib.contextmanager
def prepared(folder: Path) -> Any:
    """Enter a folder that holds the good files which readers compare with."""
    import gzip

    before = Path.cwd()
    os.chdir(folder)
    try:
        Path("good_report.json").write_bytes((CORPUS / "report.json").read_bytes())
        Path("good_run.json").write_bytes((CORPUS / "run.json").read_bytes())
        Path("foreign.txt").write_text(FOREIGN_TEXT)  # the corpus's documents refer to it
        Path("good.run").write_bytes(gzip.compress((CORPUS / "run.json").read_bytes(), mtime=0))
        yield
    finally:
        os.chdir(before)


def _check_pages(folder: Path) -> None:
    for name, acting in (
        ("report.html", ACTING_IN_HTML),
        ("report.md", ACTING_IN_MARKDOWN),
        ("report.csv", ACTING_IN_CSV),
    ):
        path = folder / name
        if path.is_file() and (found := acting.search(path.read_text("utf-8"))):
            raise EffectError(f"{name} has {found[0]!r}")
    _remove(folder)


def _write(name: str, data: bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _remove(folder: str | Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def seed(name: str) -> Any:
    """Return a good JSON document of the corpus."""
    return json.loads((CORPUS / f"{name}.json").read_bytes())
