"""Tests `jarvisperf rag` on real folders, with a test embedder so that no model is loaded."""

from __future__ import annotations

import io
import json

import pytest
from rag.hash_embedder import HashEmbedder

from jarvisperf.cli.main import main

pytestmark = pytest.mark.rag


@pytest.fixture
def rag(tmp_path, monkeypatch, require, capsys):
    """Runs `jarvisperf rag` and returns the exit status and the output."""
    for module in ("chromadb", "markdown_it"):
        require(module)
    from jarvisperf.cache import SmartCache
    from jarvisperf.rag import optimized

    monkeypatch.setattr(optimized, "embedder_for", lambda *_: HashEmbedder())
    with SmartCache(None, tmp_path / "cache") as cache:
        monkeypatch.setattr("jarvisperf.cache.get_smart_cache", lambda: cache)

        def run(action, *words):
            status = main(["rag", action, "--path", str(tmp_path / "chroma"), *map(str, words)])
            shown = capsys.readouterr()
            return status, shown.out, shown.err

        yield run


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("# Cats\n\nCats purr.")
    (folder / "sub" / "b.txt").write_text("Dogs bark.")
    (folder / "ignored.bin").write_bytes(b"\0")
    return folder


def test_a_folder_is_added_with_all_that_can_be_read(rag, folder):
    said = "2 passages added, 0 replaced, 0 unchanged, 0 removed; 2 embedded\nread 1 .md, 1 .txt\n"
    assert rag("add", folder) == (0, f"{said}not read, because of their type: 1 .bin\n", "")
    assert rag("add", folder)[1].startswith("0 passages added, 0 replaced, 2 unchanged")


def test_a_file_that_cannot_be_added_is_named_and_the_status_says_so(rag, folder):
    status, out, err = rag("add", folder / "a.md", folder / "missing.md")
    assert (status, out.split()[0]) == (1, "1")
    assert err == f"jarvisperf: {folder}/missing.md is not a file\n"


def test_verify_names_what_differs_and_the_command_that_repairs_it(rag, folder, tmp_path):
    rag("add", folder)
    assert rag("verify", folder) == (0, "the collection equals these files\n", "")
    (folder / "a.md").write_text("# Cats\n\nCats meow.")
    (folder / "sub" / "b.txt").unlink()
    status, out, err = rag("verify", folder)
    assert (status, out.splitlines()) == (
        1,
        [
            f"{folder}/a.md: 1 passages missing; 1 passages orphaned",
            f"{folder}/sub/b.txt: 1 passages orphaned",
        ],
    )
    assert "2 files differ" in err
    command = err.split("repair with: jarvisperf rag ")[1].split()
    assert command[-4:] == ["--path", f"{tmp_path}/chroma", "--collection", "documents"]
    assert rag(*command[:2])[0] == 0
    assert rag("verify", folder)[0] == 0


def test_a_search_prints_scores_sources_and_texts_or_json(rag, folder):
    rag("add", folder)
    status, out, _ = rag("search", "Dogs bark.", "-n", 1)
    assert status == 0
    assert out == "1. 1.000 docs/sub/b.txt\n   Dogs bark.\n"
    (found,) = json.loads(rag("search", "x", "--json", "--where", '{"section": "Cats"}')[1])
    assert found["metadata"]["section"] == "Cats"


def test_a_search_that_finds_nothing_says_so(rag, folder):
    empty = "nothing found: there are no documents yet; add some: jarvisperf rag add\n"
    assert rag("search", "cats") == (0, empty, "")
    rag("add", folder)
    assert rag("search", "cats", "--where", '{"section": "Whales"}') == (0, "nothing found\n", "")


def test_a_context_keeps_to_its_limit(rag, folder):
    rag("add", folder)
    assert rag("context", "Dogs bark.", "-n", 1)[1] == "[1] docs/sub/b.txt\nDogs bark.\n"
    assert rag("context", "Dogs bark.", "--max-chars", 5)[1] == "\n"


def test_queries_are_warmed_from_words_and_from_standard_input(rag, folder, monkeypatch):
    rag("add", folder)
    assert rag("warm", "cats", "dogs")[1] == "2 of 2 queries are cached\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("cats\n\nbirds\n"))
    assert rag("warm")[1] == "2 of 2 queries are cached\n"


@pytest.fixture
def questions(tmp_path):
    lines = [{"question": "Dogs bark.", "relevant": ["docs/sub/b.txt"]}, {"question": "x", "relevant": ["other.md"]}]
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def test_an_evaluation_prints_means_with_intervals(rag, folder, questions):
    rag("add", folder)
    status, out, err = rag("eval", questions, "-n", 1)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "2 questions, 1 results each",
        "recall@1     0.500  (0.095 to 0.905)",
        "mrr@1        0.500  (0.095 to 0.905)",
        "ndcg@1       0.500  (0.095 to 0.905)",
        "nothing relevant found for 1 questions, such as 'x'",
    ]
    found = json.loads(rag("eval", questions, "-n", 1, "--json")[1])
    assert found["means"]["ndcg"]["value"] == 0.5
    assert found["questions"]["x"] == {"recall": 0.0, "mrr": 0.0, "ndcg": 0.0}


def test_the_status_of_an_evaluation_says_whether_quality_regressed(rag, folder, tmp_path):
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"text {number}")
    rag("add", folder)
    file, saved = tmp_path / "questions.jsonl", tmp_path / "base.json"
    lines = [{"question": f"text {number}", "relevant": [f"docs/{number}.txt"]} for number in range(40)]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert rag("eval", file, "--save", saved)[0] == 0
    status, out, _ = rag("eval", file, "--against", saved)
    assert status == 0
    assert out.splitlines()[-1] == "ndcg@10      1.000 -> 1.000  ratio 1.000 (1.000 to 1.000)  unchanged"
    for number in range(20):
        (folder / f"{number}.txt").unlink()
    rag("add", folder)
    status, out, _ = rag("eval", file, "--against", saved)
    assert status == 1
    assert out.splitlines()[-1].endswith("regressed")


def test_two_searches_of_a_collection_are_compared_in_one_command(rag, folder, questions):
    rag("add", folder)
    status, out, err = rag("eval", questions, "-n", 1, "--min-score", "0.999", "--against-plain")
    assert (status, out.splitlines()[-4:-3]) == (0, ["compared with the plain search, question by question"])
    assert out.splitlines()[-1].startswith("ndcg@1       0.500 -> 0.500  ratio 1.000")
    assert err == ""


def test_an_evaluation_against_something_else_is_one_line_and_status_one(rag, folder, questions):
    rag("add", folder)
    status, _, err = rag("eval", questions, "--against", questions)
    assert status == 1
    assert err.startswith(f"jarvisperf: {questions} is not a saved evaluation: ")
    assert err.count("\n") == 1


def test_a_threshold_that_is_no_share_is_wrong_usage(rag, questions, capsys):
    with pytest.raises(SystemExit) as stopped:
        rag("eval", questions, "--threshold", "five")
    assert stopped.value.code == 2
    assert "'five' is not allowed; give a percentage like '5%' or 'off'" in capsys.readouterr().err


def test_statistics_count_passages_by_source(rag, folder):
    rag("add", folder)
    assert rag("stats")[1] == f"2 passages of 2 documents\n       1 {folder}/a.md\n       1 {folder}/sub/b.txt\n"
    assert json.loads(rag("stats", "--json")[1])["chunks"] == 2


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        (
            {"query": "query: ", "document": "passage: "},
            "'query: ' before each query, 'passage: ' before each document",
        ),
        ({"query": "Query:", "document": ""}, "'Query:' before each query"),
        ({"query": "", "document": ""}, "none"),
    ],
)
def test_statistics_show_the_prompts_of_the_model(rag, folder, monkeypatch, prompts, said):
    monkeypatch.setattr(HashEmbedder, "prompts", prompts, raising=False)
    rag("add", folder)
    assert rag("stats")[1].splitlines()[1] == f"the model's prompts: {said}"
    assert json.loads(rag("stats", "--json")[1])["prompts"] == prompts


@pytest.mark.parametrize(
    ("words", "message"), [([" "], "query is ' ': give at least one word"), (["x", "-n", "0"], "n_results is 0")]
)
def test_what_makes_no_sense_is_one_line_and_status_one(rag, words, message):
    status, out, err = rag("search", *words)
    assert (status, out) == (1, "")
    assert err.startswith("jarvisperf: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_filter_that_is_no_json_is_a_usage_error(rag):
    with pytest.raises(SystemExit, match="2"):
        rag("search", "x", "--where", "{year: 1}")


def test_an_empty_path_is_a_usage_error_and_not_the_working_folder(rag, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words in (["add", ""], ["stats", "--path", ""]):
        with pytest.raises(SystemExit, match="2"):
            rag(*words)
        assert "the path is empty: use '.' for the working folder" in capsys.readouterr().err
    assert not (tmp_path / "chroma.sqlite3").exists()


def test_a_file_in_place_of_the_folder_is_one_line(rag, folder):
    status, out, err = rag("stats", "--path", folder / "a.md")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"jarvisperf: cannot open the document store in {folder}/a.md: ")
    assert rag("search", "cats", "--path", folder / "a.md")[0] == 1


@pytest.fixture
def many(folder):
    """A file with so many passages that they wait for their vectors."""
    file = folder / "many.md"
    file.write_text("\n".join(f"# Part {number}\n\nText {number}.\n" for number in range(70)))
    return file


def test_many_passages_are_found_by_words_at_once_and_the_command_waits_for_their_vectors(rag, many):
    assert rag("add", many)[1].splitlines()[2:] == [
        "70 passages wait for their vectors; until then they are found by words",
        "70 vectors computed",
    ]
    assert rag("stats")[1].startswith("70 passages of 1 documents\n")
    assert json.loads(rag("stats", "--json")[1])["waiting"] == 0


def test_vectors_may_be_left_to_another_command(rag, many, monkeypatch):
    monkeypatch.setattr("jarvisperf.rag.search.retriever.MOST_EMBEDDED_FIRST", 0)
    monkeypatch.setattr("jarvisperf.rag.embedding.background.BackgroundEmbedder.start", lambda *_, **__: None)
    assert rag("add", "--no-wait", many)[1].splitlines()[-1] == (
        "70 passages wait for their vectors; until then they are found by words"
    )
    assert "70 passages wait for their vectors; compute them: jarvisperf rag wait\n" in rag("stats")[1]
    assert rag("verify", many) == (0, "70 passages wait for their vectors\nthe collection equals these files\n", "")
    incomplete = (
        "jarvisperf: not all passages were compared: 70 passages wait for their vectors; compute them: jarvisperf"
    )
    for action in ("search", "context"):
        assert rag(action, "Text 7.", "-n", 1)[2] == f"{incomplete} rag wait\n"
    assert rag("wait") == (0, "70 vectors computed\n", "")
    assert rag("wait") == (0, "no passages wait for their vectors\n", "")
    assert rag("search", "Text 7.", "-n", 1)[2] == ""


def test_passages_have_the_length_that_was_asked_for_until_they_are_split_again(rag, write_long, monkeypatch):
    monkeypatch.setattr(HashEmbedder, "max_tokens", 256, raising=False)
    monkeypatch.setattr(HashEmbedder, "count_tokens", lambda _, text: len(text.split()), raising=False)
    assert rag("add", write_long, "--max-tokens", 16)[1].startswith("20 passages added")
    assert "max_tokens=16" in rag("verify", write_long, "--max-tokens", 32)[2]
    assert rag("resplit", "--max-tokens", 32, "--overlap", 4)[1].startswith("7 passages added, 20 removed")
    assert rag("verify", write_long)[0] == 0


@pytest.fixture
def write_long(folder):
    file = folder / "long.txt"
    file.write_text(" ".join(f"Sentence number {number} has eight words, all small." for number in range(20)))
    return file


def test_what_a_server_needs_to_know(rag, tmp_path, monkeypatch):
    from jarvisperf.rag import optimized

    given = []

    def refuse(*arguments, **_):
        given.append(arguments[3])
        raise ValueError("enough")

    monkeypatch.setattr(optimized, "home_of", refuse)
    (tmp_path / "token").write_text("secret\n")
    words = ["--tenant", "a", "--database", "b", "--token-header", "X-Chroma-Token"]
    assert rag("stats", *words, "--token", f"@{tmp_path}/token")[2] == "jarvisperf: enough\n"
    (options,) = given
    assert (options.token, options.tenant, options.database) == ("secret", "a", "b")
    assert options.headers() == {"X-Chroma-Token": "secret"}


def test_options_for_a_server_are_refused_for_a_folder_and_a_missing_token_file_is_named(rag, tmp_path):
    assert "server_options is given without chroma_url" in rag("stats", "--tenant", "a")[2]
    assert f"{tmp_path}/none" in rag("stats", "--token", f"@{tmp_path}/none")[2]
