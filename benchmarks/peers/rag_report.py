"""Writes the RAG's figures as Markdown: the sides, and every target with the figure that was reached."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.peers.rows import show

if TYPE_CHECKING:
    from collections.abc import Iterator

Figures: TypeAlias = dict[str, Any]
Row: TypeAlias = tuple[str, str, str, str, bool | None]

OURS = "JarvisPerf"
COMMAND = "python -m benchmarks.peers.bench_rag_peers"
HOW = (
    f"Each part is measured by `{COMMAND} PART`. Load: the machine's load average at the end of the part, of 2 cores;"
    " more than about 2 means that others worked at the same time, and that ratios say more than times."
)
ABOUT_REPLAY = (
    "Survival and replay: each question is embedded by the model once; in the replay the time of this counts again"
    " each time the question is embedded."
)
ABOUT_PIPELINE = (
    "LlamaIndex: `IngestionPipeline` with its docstore and cache, persisted after each run, `HuggingFaceEmbedding` and"
    " `ChromaVectorStore`, in float32; ours in bfloat16 where the CPU has it."
)
ABOUT_QUESTIONS = (
    "RedisVL's `SemanticCache` at its default distance of 0.1, ours with `semantic_threshold=0.9` (off by default:"
    " without it, only equal questions share an answer). The first question of each pair is remembered, the second"
    " asked. Right: it got the answer of its own paraphrase. False: it got that of another question. Time: without"
    " embedding."
)
ABOUT_VECTORS = (
    "vectors of 384 numbers, stored and got in one call: RedisVL's `EmbeddingsCache` (Redis on this machine), ours"
    " (SQLite)."
)
SHOWN = (
    ("first", "first ingestion"),
    ("again", "the same again"),
    ("one_changed", "one text changed"),
    ("query_uncached", "query, first time"),
    ("query_repeated", "query, repeated"),
    ("start", "fresh process, a query that was asked before"),
    ("start_peak_rss_mb", "its peak memory"),
)


def report(evidence: dict[str, Figures]) -> str:
    """Return the whole page.

    Args:
        evidence: The figures of each measured part, by its name.
    """
    parts = [
        "# The RAG compared with other libraries and with its targets",
        HOW,
        _measured(evidence),
    ]
    if "sides" in evidence:
        parts += ["## Side by side", _sides(evidence["sides"])]
    if "pipeline" in evidence:
        parts += ["## Ingestion next to LlamaIndex's pipeline", _pipeline(evidence["pipeline"])]
    if "redisvl" in evidence:
        parts += ["## Semantic caches and embedding caches", _redisvl(evidence["redisvl"])]
    rows = [row for name, make in MAKERS.items() if name in evidence for row in make(evidence[name])]
    if "sides" in evidence and "scale" in evidence:
        rows.append(_with_real_vectors(evidence["sides"], evidence["scale"]))
    parts += ["## Targets", _table(rows)]
    if "replay" in evidence:
        parts.append(ABOUT_REPLAY)
    if "scale" in evidence:
        parts.append(_about_scale(evidence["scale"]))
    return "\n\n".join(parts) + "\n"


def _measured(evidence: dict[str, Figures]) -> str:
    lines = ["| part | date | machine | load |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {part['date']} | {part['machine']} | {_load(part)} |" for name, part in sorted(evidence.items())
    ]
    return "\n".join(lines)


def _load(part: Figures) -> str:
    return f"{part['load']:.1f}" if "load" in part else "not recorded"


def _sides(part: Figures) -> str:
    sides: dict[str, list[Figures]] = part["sides"]
    count = len(sides[OURS])
    rounds = "1 round" if count == 1 else f"{count} rounds"
    told = (
        f"{part['texts']} texts of 480 characters, all-MiniLM-L6-v2, 2 cores; each side in processes of its own,"
        f" in turns, the middle of {rounds}. langchain: `CacheBackedEmbeddings` (documents and queries) with `Chroma`."
        " Bare encode: `model.encode` of all texts, in our dtype. Newcomer's loop: `model.encode` and"
        " `collection.add` text by text."
    )
    lines = [
        told,
        "",
        f"| what | {' | '.join(sides)} |",
        f"| --- |{' --- |' * len(sides)}",
    ]
    for key, title in SHOWN:
        unit = "{:.0f} MB".format if key.endswith("_mb") else show
        cells = [unit(_middle(found, key)) if key in found[0] else "" for found in sides.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _pipeline(part: Figures) -> str:
    sides: dict[str, list[Figures]] = part["sides"]
    told = (
        f"{part['texts']} texts of 480 characters, all-MiniLM-L6-v2; each side in processes of its own, in turns, the"
        f" middle of {len(sides[OURS])}. {ABOUT_PIPELINE}"
    )
    rows = [[title, *(show(_middle(found, key)) for found in sides.values())] for key, title in SHOWN[:3]]
    return f"{told}\n\n{_plain_table(['what', *sides], rows)}"


def _redisvl(part: Figures) -> str:
    sides: dict[str, Figures] = part["sides"]
    rows = []
    for name, side in sides.items():
        kinds = side["kinds"]
        same, opposite, other = (kinds[kind] for kind in ("paraphrases", "opposites", "different questions"))
        wrong = [_share(one["own"] + one["other"], one["of"]) for one in (opposite, other)]
        shares = [_share(same["own"], same["of"]), _share(same["other"], same["of"]), *wrong]
        rows.append([name, *shares, show(same["seconds"])])
    questions = _plain_table(
        ["cache", "paraphrases: right", "false", "opposites: false", "different questions: false", "one question"], rows
    )
    count = next(iter(sides.values()))["vectors"]["texts"]
    vectors = _plain_table(
        ["what", *sides],
        [
            [what, *(show(side["vectors"][key]) for side in sides.values())]
            for key, what in (("store", "stored"), ("get", "got"))
        ],
    )
    return f"{ABOUT_QUESTIONS}\n\n{questions}\n\n{count:,} {ABOUT_VECTORS}\n\n{vectors}"


def _plain_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})"


def _middle(found: list[Figures], key: str) -> float:
    return statistics.median(float(figures[key]) for figures in found)


def _ratio(found: list[Figures], key: str, others: list[Figures], other_key: str) -> float:
    """Return the median of the rounds' ratios."""
    pairs = zip(found, others, strict=True)
    return statistics.median(float(figures[key]) / float(other[other_key]) for figures, other in pairs)


def _of_sides(part: Figures) -> Iterator[Row]:
    sides: dict[str, list[Figures]] = part["sides"]
    ours = sides[OURS]
    for name, kind in (("query", "search"), ("context", "context")):
        cached = _middle(ours, f"{name}_repeated")
        ratio = _ratio(ours, f"{name}_uncached", ours, f"{name}_repeated")
        yield f"cached {kind}, in memory", "≤ 10 µs", show(cached), "sides", cached <= 10e-6
        yield f"uncached {kind} / cached", "≥ 1,000", f"{ratio:,.0f}", "sides", ratio >= 1000
    bare = _ratio(sides["bare encode"], "first", ours, "first")
    yield "bare encode / first ingestion, same dtype", "≥ 0.95", f"{bare:.3f}", "sides", bare >= 0.95
    loop = _ratio(sides["newcomer's loop"], "first", ours, "first")
    has_bfloat16 = bool(ours[0]["bfloat16"])
    reached = loop >= 3 if has_bfloat16 else None
    wanted = "≥ 3 where the CPU has bfloat16" + ("" if has_bfloat16 else " (this one has not)")
    yield "newcomer's loop / first ingestion", wanted, f"{loop:.2f}", "sides", reached
    for key, title, most in (("again", "the same again", 0.02), ("one_changed", "one text changed", 0.03)):
        share = _ratio(ours, key, ours, "first")
        yield f"{title} / first ingestion", f"≤ {most:.0%}", f"{share:.2%}", "sides", share <= most
    if "langchain" in sides:
        for key, title in (*SHOWN[1:2], *SHOWN[4:6]):
            ratio = _ratio(sides["langchain"], key, ours, key)
            yield f"langchain / ours: {title}", "> 1", f"{ratio:,.1f}", "sides", ratio > 1


def _of_ingestion(part: Figures) -> Iterator[Row]:
    count, whole = part["texts"], sum(part["ours"])
    ratio = statistics.median(bare / ours for bare, ours in zip(part["bare"], part["ours"], strict=True))
    title = f"first {count:,} texts, bare encode / ours, same dtype, middle of {len(part['ours'])} turns in one process"
    yield title, "≥ 0.95", f"{ratio:.3f}", "ingestion", ratio >= 0.95
    for key, what, most in (("again", "the same again", 0.02), ("one_changed", "one text changed", 0.03)):
        share = part[key] / whole
        yield f"{what} of {count:,} / the first time", f"≤ {most:.0%}", f"{share:.2%}", "ingestion", share <= most


def _of_startup(part: Figures) -> Iterator[Row]:
    cached = part["cached_seconds"]
    ratio = part["eager_seconds"] / cached
    share = part["cached_peak_rss_mb"] / part["eager_peak_rss_mb"]
    yield "fresh process to first cached answer, no torch", "≤ 0.4 s", show(cached), "startup", cached <= 0.4
    yield "eager loading / that", "≥ 10", f"{ratio:.1f}", "startup", ratio >= 10
    figure = f"{share:.0%} ({part['cached_peak_rss_mb']:.0f} of {part['eager_peak_rss_mb']:.0f} MB)"
    yield "its peak memory / of eager loading", "≤ 35 %", figure, "startup", share <= 0.35


def _of_survival(part: Figures) -> Iterator[Row]:
    survived, wrong = part["survived"], part["wrong"]
    title = f"of {part['queries']:,} cached queries, survive one unrelated document"
    yield title, "≥ 95 %", f"{survived:.1%}", "survival", survived >= 0.95
    yield "wrong among them", "0", f"{wrong}", "survival", wrong == 0


def _of_replay(part: Figures) -> Iterator[Row]:
    title = f"replay of {part['queries']:,} Zipf queries ({part['different']} different), {part['writes']} writes"
    yield f"{title}: wrong", "0", f"{part['wrong']}", "replay", part["wrong"] == 0
    hits = f"{part['ratio']:.1f} (hit rate {part['hit_rate']:.1%})"
    yield f"{title}: throughput / uncached", "≥ 20", hits, "replay", part["ratio"] >= 20


def _of_scale(part: Figures) -> Iterator[Row]:
    title = f"{part['chunks']:,} chunks: query p95 / bare Chroma's"
    yield title, "≤ 1.3", f"{part['p95_ratio']:.2f}", "scale", part["p95_ratio"] <= 1.3
    title = f"{part['chunks']:,} chunks: ingestion beyond embedding and Chroma, where embedding costs next to nothing"
    yield title, "≤ 5 %", f"{part['overhead']:.1%}", "scale", part["overhead"] <= 0.05


def _with_real_vectors(sides: Figures, scale: Figures) -> Row:
    embedding = _middle(sides["sides"]["bare encode"], "first") / sides["texts"]
    share = scale["overhead_ms_per_chunk"] / 1000 / (embedding + scale["upsert_seconds"] / scale["chunks"])
    title = f"the same, where embedding costs what MiniLM does ({show(embedding)} a text, from sides)"
    return title, "≤ 5 %", f"{share:.1%}", "scale, sides", share <= 0.05


MAKERS = {
    "sides": _of_sides,
    "ingestion": _of_ingestion,
    "startup": _of_startup,
    "survival": _of_survival,
    "replay": _of_replay,
    "scale": _of_scale,
}


def _about_scale(part: Figures) -> str:
    memory = part["rss_mb"]
    return (
        f"Scale: vectors of 384 numbers by a cheap embedder (real ones of {part['chunks']:,} texts would take an hour),"
        f" added {part['batch']} at a time, both sides in turns in one process. Ours {part['ours_seconds']:.0f} s,"
        f" of which Chroma's upsert {part['upsert_seconds']:.0f} s and embedding {part['embedding_seconds']:.1f} s;"
        f" bare Chroma {part['chroma_seconds']:.0f} s. Beyond upsert and embedding"
        f" {part['overhead_ms_per_chunk']:.3f} ms a chunk, {part['overhead']:.1%} of what is left when embedding costs"
        f" next to nothing. Query, p50 and p95: ours {part['ours_p50_ms']:.2f} and {part['ours_p95_ms']:.2f} ms, bare"
        f" {part['bare_p50_ms']:.2f} and {part['bare_p95_ms']:.2f} ms. Peak memory of a process that asks 100 queries:"
        f" ours {memory['ours']:.0f} MB, bare {memory['bare']:.0f} MB, with nothing but the imports"
        f" {memory['nothing']:.0f} MB."
    )


def _table(rows: list[Row]) -> str:
    lines = ["| what | target | measured | part | reached |", "| --- | --- | --- | --- | --- |"]
    words = {True: "yes", False: "**no**", None: "does not apply"}
    lines += [f"| {what} | {target} | {figure} | {part} | {words[ok]} |" for what, target, figure, part, ok in rows]
    return "\n".join(lines)
