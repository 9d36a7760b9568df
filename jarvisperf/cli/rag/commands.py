"""`jarvisperf rag`: add documents, search them and build contexts, from the command line."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.cli.common import FAILED, OK, add_group, add_parser, warn
from jarvisperf.cli.printing import err, out, out_document, out_json
from jarvisperf.cli.rag import evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jarvisperf.rag import Context, OptimizedRAG, SearchResults, ServerOptions

_SHOWN_CHARACTERS = 300


def add_commands(commands: Any) -> None:
    """Add `rag` and its sub-commands to the command's parser."""
    actions = add_group(
        commands,
        "rag",
        "search your documents, and measure how fast that is",
        "jarvisperf rag add docs",
        "jarvisperf rag search 'How do I install it?'",
    )

    add = _action(
        actions,
        "add",
        _add,
        "add files, or update changed ones; a folder is mirrored, deleted files included",
        "jarvisperf rag add docs",
    )
    add.add_argument("--keep-missing", action="store_true", help="keep passages of files that a folder no longer has")
    add.add_argument(
        "--no-wait",
        action="store_true",
        help="end once the passages can be found by words; the next search or `rag wait` computes their vectors",
    )
    _add_passage_lengths(add)
    add.add_argument("paths", nargs="+", type=_path, metavar="PATH")

    verify = _action(
        actions,
        "verify",
        _verify,
        "check that the collection equals the files it was made from; exit status 1 if it does not",
        "jarvisperf rag verify docs",
    )
    _add_passage_lengths(verify)
    verify.add_argument("paths", nargs="+", type=_path, metavar="PATH")

    resplit = _action(
        actions,
        "resplit",
        _resplit,
        "split the files of the collection again, with other lengths",
        "jarvisperf rag resplit --max-tokens 128 --overlap 16",
    )
    _add_passage_lengths(resplit)

    _action(actions, "wait", _wait, "compute the vectors of passages that wait for theirs", "jarvisperf rag wait")

    search = _action(
        actions,
        "search",
        _search,
        "find the passages nearest to a query",
        "jarvisperf rag search 'how are ties broken?' -n 3",
    )
    _add_query(search, 5)
    search.add_argument("--json", action="store_true", help="print JSON")

    context = _action(
        actions,
        "context",
        _context,
        "print the context for a language model",
        "jarvisperf rag context 'how are ties broken?' --max-chars 4000",
    )
    _add_query(context, 3)
    limits = context.add_mutually_exclusive_group()
    limits.add_argument("--max-chars", type=int, metavar="N", help="maximum number of characters")
    limits.add_argument("--max-tokens", type=int, metavar="N", help="maximum number of tokens of the embedding model")

    warm = _action(
        actions,
        "warm",
        _warm,
        "cache the answers to queries",
        "jarvisperf rag warm --ttl 86400 < queries.txt",
    )
    warm.add_argument("queries", nargs="*", metavar="QUERY", help="default: one per line of standard input")
    warm.add_argument("--ttl", type=float, default=600, metavar="SECONDS", help="seconds to cache answers for (600)")

    evaluate = _action(
        actions,
        "eval",
        evaluation.run,
        "measure recall, MRR and nDCG on questions with known answers; exit status 1 if they regressed",
        "jarvisperf rag eval questions.jsonl --hybrid --against-plain",
        "jarvisperf rag eval questions.jsonl --save before.json",
        "jarvisperf rag eval questions.jsonl --against before.json --threshold 2%",
    )
    evaluation.add_arguments(evaluate)

    stats = _action(actions, "stats", _stats, "print what the collection contains", "jarvisperf rag stats --json")
    stats.add_argument("--json", action="store_true", help="print JSON")

    bench = add_parser(
        actions,
        "bench",
        "measure what caching and batching gain, in temporary folders",
        "jarvisperf rag bench --json",
    )
    bench.add_argument("--model", metavar="MODEL", help="folder or hub name of the embedding model")
    bench.add_argument("--json", action="store_true", help="print JSON")
    bench.set_defaults(run=_bench)


def _action(
    actions: Any, name: str, run: Callable[[argparse.Namespace, OptimizedRAG], int], what: str, *examples: str
) -> argparse.ArgumentParser:
    parser = add_parser(actions, name, what, *examples)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--path", type=_path, metavar="FOLDER", help="folder of the documents (the settings' folder)")
    place.add_argument("--url", metavar="URL", help="Chroma server, http://host:port")
    parser.add_argument("--collection", default="documents", metavar="NAME", help="collection (documents)")
    parser.add_argument("--model", metavar="MODEL", help="folder or hub name of the embedding model")
    server = parser.add_argument_group("options for a Chroma server")
    server.add_argument("--token", metavar="TOKEN", help="identifies the caller; @FILE reads it from a file")
    server.add_argument("--token-header", metavar="NAME", help="Authorization or X-Chroma-Token (Authorization)")
    server.add_argument("--tenant", metavar="NAME", help="tenant (default_tenant)")
    server.add_argument("--database", metavar="NAME", help="database (default_database)")
    parser.set_defaults(run=lambda words: _with_rag(words, run), passage_tokens=None, overlap=None)
    return parser


def _add_passage_lengths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-tokens",
        type=int,
        dest="passage_tokens",
        metavar="N",
        help="maximum length of a passage, in tokens of the model (what the collection has, else 256)",
    )
    parser.add_argument(
        "--overlap", type=int, metavar="N", help="tokens that a passage repeats (what the collection has, else 0)"
    )


def _add_query(parser: argparse.ArgumentParser, results: int) -> None:
    parser.add_argument("query", metavar="QUERY")
    parser.add_argument("-n", type=int, default=results, metavar="N", help=f"maximum number of passages ({results})")
    parser.add_argument("--where", type=_filter, metavar="JSON", help="filter on metadata, such as '{\"year\": 2020}'")
    parser.add_argument("--min-score", type=float, metavar="SCORE", help="minimum cosine similarity")
    parser.add_argument("--hybrid", action="store_true", help="search by keywords as well")


def _path(text: str) -> Path:
    if not text:  # an unset shell variable, which pathlib would turn into the working folder
        raise argparse.ArgumentTypeError("the path is empty: use '.' for the working folder")
    return Path(text)


def _filter(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None


def _with_rag(words: argparse.Namespace, run: Callable[[argparse.Namespace, OptimizedRAG], int]) -> int:
    from jarvisperf.rag import OptimizedRAG, RagError

    try:
        with OptimizedRAG(
            words.path,
            None,
            words.model,
            words.collection,
            words.url,
            max_tokens=words.passage_tokens,
            overlap=words.overlap,
            server_options=_server_options(words),
        ) as rag:
            return run(words, rag)
    except (RagError, ValueError, TypeError) as error:
        return _fail(str(error))


def _server_options(words: argparse.Namespace) -> ServerOptions | None:
    from jarvisperf.rag import ServerOptions

    given = {name: getattr(words, name) for name in ("token", "token_header", "tenant", "database")}
    given = {name: value for name, value in given.items() if value is not None}
    token = given.get("token", "")
    if token.startswith("@"):
        try:
            given["token"] = Path(token[1:]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"--token names a file that cannot be read: {error}") from error
    return ServerOptions(**given) if given else None


def _add(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    report = rag.add_documents(words.paths, keep_missing=words.keep_missing)
    out(
        f"{report.added} passages added, {report.replaced} replaced, {report.unchanged} unchanged,"
        f" {report.removed} removed; {report.embedded} embedded"
    )
    if report.files:
        out(f"read {_types(report.files)}")
    if report.unsupported:
        out(f"not read, because of their type: {_types(report.unsupported)}")
    for source in report.missing:
        out(f"removed, because the file no longer exists or is ignored: {source}")
    for failure in report.failures:
        is_named = failure.reason.startswith(failure.path)
        _fail(failure.reason if is_named else f"{failure.path}: {failure.reason}")
    if report.waiting:
        out(f"{_wait_for_vectors(report.waiting)}; until then they are found by words")
    if words.no_wait:
        rag.close(wait=False)
    elif report.waiting:
        rag.wait()
        out(f"{report.waiting} vectors computed")
    return FAILED if report.failures else OK


def _verify(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    found = rag.verify(words.paths)
    for one in found:
        counts = {"missing": one.missing, "orphaned": one.orphaned, "changed or from another model": one.changed}
        said = [f"{count} passages {what}" for what, count in counts.items() if count]
        out(f"{one.source}: {'; '.join([*said, *one.unread])}")
    waiting = rag.get_performance_stats()["waiting"]
    if waiting:
        out(_wait_for_vectors(waiting))
    if not found:
        out("the collection equals these files")
        return OK
    given = {"--path": words.path, "--url": words.url, "--collection": words.collection, "--model": words.model}
    given |= {"--tenant": words.tenant, "--database": words.database, "--token-header": words.token_header}
    given |= {"--max-tokens": words.passage_tokens, "--overlap": words.overlap}
    if words.token is not None and words.token.startswith("@"):  # a token itself does not belong into logs
        given["--token"] = words.token
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    command = shlex.join(["jarvisperf", "rag", "add", *map(str, words.paths), *options])
    return _fail(f"{len(found)} files differ; repair with: {command}")


def _resplit(_words: argparse.Namespace, rag: OptimizedRAG) -> int:
    report = rag.resplit()
    out(f"{report.added} passages added, {report.removed} removed, {report.unchanged} unchanged")
    for failure in report.failures:
        _fail(f"{failure.path}: {failure.reason}")
    rag.wait()
    return FAILED if report.failures else OK


def _wait(_words: argparse.Namespace, rag: OptimizedRAG) -> int:
    rag.sources()
    waiting = rag.get_performance_stats()["waiting"]
    rag.wait()
    out(f"{waiting} vectors computed" if waiting else "no passages wait for their vectors")
    return OK


def _wait_for_vectors(count: int) -> str:
    return "1 passage waits for its vector" if count == 1 else f"{count} passages wait for their vectors"


def _warn_if_incomplete(rag: OptimizedRAG, found: SearchResults | Context) -> None:
    if not found.complete:
        count = rag.get_performance_stats()["waiting"] or 0
        why = "" if found.problem is None else f" ({found.problem})"
        warn(f"not all passages were compared: {_wait_for_vectors(count)}{why}; compute them: jarvisperf rag wait")


def _types(files: Iterable[str]) -> str:
    """Count files by type, such as "3 .md, 1 .pdf"."""
    counts = Counter(Path(file).suffix.lower() or "without a type" for file in files)
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def _search(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    found = rag.search_cached(words.query, words.n, where=words.where, min_score=words.min_score, hybrid=words.hybrid)
    _warn_if_incomplete(rag, found)
    if words.json:
        out_json(json.dumps([result.to_dict() for result in found], indent=1, ensure_ascii=False))
        return OK
    for number, result in enumerate(found, 1):
        text = " ".join(result.text.split())
        shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
        out(f"{number}. {result.score:.3f} {result.source or result.id}", f"   {shown}")
    if not found:
        is_empty = rag.get_performance_stats()["chunks"] == 0
        out("nothing found: there are no documents yet; add some: jarvisperf rag add" if is_empty else "nothing found")
    return OK


def _context(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    context = rag.generate_context_cached(
        words.query,
        words.n,
        words.max_chars,
        words.max_tokens,
        where=words.where,
        min_score=words.min_score,
        hybrid=words.hybrid,
    )
    _warn_if_incomplete(rag, context)
    out_document(context)
    return OK


def _warm(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    queries = words.queries or [line for line in sys.stdin.read().splitlines() if line.strip()]
    out(f"{rag.warm_up_cache(queries, words.ttl)} of {len(queries)} queries are cached")
    return OK


def _stats(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    sources = rag.sources()
    stats = rag.get_performance_stats()
    prompts = stats["prompts"]
    names = ("chunks", "documents", "waiting", "prompts")
    facts = {**{name: stats[name] for name in names}, "sources": sources}  # type: ignore[literal-required]
    if words.json:
        out_json(json.dumps(facts, indent=1, ensure_ascii=False))
        return OK
    out(f"{facts['chunks']} passages of {facts['documents']} documents")
    if stats["waiting"]:
        out(f"{_wait_for_vectors(stats['waiting'])}; compute them: jarvisperf rag wait")
    if prompts is not None:
        put = [f"{prompt!r} before each {role}" for role, prompt in prompts.items() if prompt]
        out(f"the model's prompts: {', '.join(put) or 'none'}")
    for source, count in sources.items():
        out(f"{count:8} {source}")
    return OK


def _bench(words: argparse.Namespace) -> int:
    from jarvisperf.bench import RAGBenchmarks
    from jarvisperf.rag import RagError

    try:
        parts = RAGBenchmarks(model=words.model).run_full_benchmark_suite()
    except RagError as error:
        return _fail(str(error))
    if words.json:
        out_json(json.dumps(parts, indent=1))
        return OK
    out(f"{'part':24} {'before':>16} {'after':>16} {'ratio':>10}  same answer")
    for name, part in parts.items():
        same = {True: "yes", False: "NO", None: "-"}[part["same_answer"]]
        before, after = (f"{part[side]:.6g} {part['unit']}" for side in ("before", "after"))
        out(f"{name:24} {before:>16} {after:>16} {part['ratio']:10.1f}  {same}")
    return OK if all(part["same_answer"] is not False for part in parts.values()) else FAILED


def _fail(text: str) -> int:
    err(f"jarvisperf: {text}")
    return FAILED
