from __future__ import annotations

import sys

import pytest

from jarvisperf.rag.errors import DocumentError, MissingPackageError
from jarvisperf.rag.ingest.files import read_passages
from jarvisperf.rag.ingest.splitting import CHARACTERS

LONG = "A sentence of some words. " * 30


def sections(passages):
    return list(dict.fromkeys(passage.section for passage in passages))


def test_a_markdown_file_is_split_along_its_headings(write):
    passages = read_passages(write("a.md", f"intro {LONG}\n\n# One\n\n{LONG}\n\n## Two ##\n\n{LONG}"))
    assert sections(passages) == [None, "One", "Two"]


def test_a_hash_in_a_code_block_is_no_heading(write):
    text = f"# One\n\n```python\n# comment\n```\n\n{LONG}\n\n~~~\n# comment\n```\n# comment\n~~~\n\n{LONG}\n"
    assert sections(read_passages(write("a.md", text))) == ["One"]


def test_an_rst_file_has_the_sections_of_its_underlined_titles(write):
    text = f"One\n===\n\n{LONG}\n\n---\n\n{LONG}\n\nTwo\n~~~~~\n\n{LONG}\n\nToo short an underline\n---\n\n{LONG}"
    assert sections(read_passages(write("a.rst", text))) == ["One", "Two"]


def test_plain_text_has_no_sections(write):
    assert sections(read_passages(write("a.txt", f"# no heading\n\n{LONG}"))) == [None]


@pytest.mark.parametrize("name", ["a.md", "a.rst", "a.TXT"])
def test_passages_are_numbered_short_enough_and_hold_all_words(write, name):
    words = [f"word{number}" for number in range(2000)]
    passages = read_passages(write(name, " ".join(words)))
    assert [passage.position for passage in passages] == list(range(len(passages)))
    assert max(len(passage.text) for passage in passages) <= CHARACTERS.size
    assert " ".join(passage.text for passage in passages).split() == words


@pytest.mark.parametrize("text", ["", " \n\n\t "])
def test_an_empty_file_has_no_passages(write, text):
    assert read_passages(write("a.md", text)) == []


def test_a_byte_order_mark_is_not_part_of_the_text(write):
    assert read_passages(write("a.txt", b"\xef\xbb\xbfhello"))[0].text == "hello"


def test_another_type_is_refused_with_those_that_are_allowed(write):
    with pytest.raises(
        DocumentError,
        match=r"a\.xyz has the unsupported type \.xyz; choose from: \.csv, \.docx, \.htm, \.html",
    ):
        read_passages(write("a.xyz", "text"))


def test_a_file_that_is_not_utf8_is_refused_with_the_place(write):
    with pytest.raises(DocumentError, match=r"a\.txt is not UTF-8 \(byte 2\)"):
        read_passages(write("a.txt", b"ab\xff"))


def test_a_file_whose_name_is_not_utf8_is_refused_and_named(write):
    with pytest.raises(DocumentError, match=r"d\\udc80\.md' is not a name in UTF-8: rename"):
        read_passages(write("d\udc80.md", "text"))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "missing.md", tmp_path):
        with pytest.raises(FileNotFoundError, match="is not a file"):
            read_passages(path)


# HTML, PDF, Word

HTML = """<html><head><title>T</title><meta charset="iso-8859-1"><style>p {{ color: red }}</style></head>
<body><script>alert(1)</script><h1>Avó</h1><p>{one}</p><h2>Two</h2><p>{two}</p></body></html>"""


def test_an_html_file_is_split_along_its_headings_without_scripts_and_in_its_own_encoding(write, require):
    require("bs4")
    passages = read_passages(write("a.html", HTML.format(one=LONG, two=LONG).encode("iso-8859-1")))
    assert sections(passages) == ["Avó", "Two"]
    whole = " ".join(passage.text for passage in passages)
    assert "alert" not in whole
    assert "color" not in whole
    assert whole.count("A sentence of some words.") == 60


def test_a_page_that_is_nested_thousands_of_levels_deep_is_read(write, require):
    require("bs4")
    deep = f"<script>alert(1)</script>{'<div>' * 2000}<p>Cats purr.</p>{'</div>' * 2000}<p>Dogs bark.</p>"
    (passage,) = read_passages(write("a.html", f"<html><body>{deep}</body></html>"))
    assert passage.text == "Cats purr.\n\nDogs bark."


@pytest.mark.parametrize(
    "content",
    [
        "<p>ação</p>".encode(),
        b"\xef\xbb\xbf" + "<p>ação</p>".encode(),
        "<p>ação</p>".encode("utf-16"),
        "<p>ação</p>".encode("latin-1"),
        '<meta charset="iso-8859-15"><p>ação</p>'.encode("iso-8859-15"),
        '<meta charset="utf-8"><p>ação</p>'.encode("latin-1"),
        '<meta charset="nonsense"><p>ação</p>'.encode(),
        '<meta charset="ut\0f"><p>ação</p>'.encode(),
        '<meta charset="hex"><p>ação</p>'.encode(),
        '<meta charset="unicode_escape"><p>ação</p>'.encode(),
    ],
)
def test_the_encoding_of_html_is_not_guessed(write, content, require, caplog):
    require("bs4")
    assert [passage.text for passage in read_passages(write("a.html", content))] == ["ação"]
    assert caplog.text == ""


def test_a_nul_does_not_make_other_letters_of_html(write, require):
    require("bs4")
    (passage,) = read_passages(write("a.html", "<p>a\0b</p>"))
    assert passage.text.startswith("a")
    assert passage.text.endswith("b")


@pytest.mark.parametrize("unit", ["x", "word "])
def test_a_file_of_one_endless_line_is_split_in_portions_that_lose_nothing(write, unit):
    # In one piece, the splitter takes 20 s for 800,000 characters, and four times as long for twice as many.
    text = unit * (2_000_000 // len(unit))
    passages = read_passages(write("a.txt", f"before\n{text}\nafter"))
    assert "".join(passage.text.replace(" ", "") for passage in passages).replace("\n", "") == (
        f"before{text.replace(' ', '')}after"
    )
    assert max(len(passage.text) for passage in passages) <= CHARACTERS.size
    if unit == "word ":
        assert {word for passage in passages for word in passage.text.split()} == {"before", "word", "after"}


def test_a_long_line_changes_no_section_before_or_after_it(write):
    text = f"# One\n\n{LONG}\n\n{'word ' * 6000}\n\n# Two\n\n{LONG}"
    passages = read_passages(write("a.md", text))
    assert sections(passages) == ["One", "Two"]
    assert next(passage for passage in passages if passage.section == "Two").text.startswith("# Two")


def test_an_html_file_that_its_parser_rejects_is_named(write, monkeypatch, require):
    require("bs4")
    rejected = require("bs4.builder").ParserRejectedMarkup

    def reject(*_):
        raise rejected("unknown keyword\nin marked section")

    monkeypatch.setattr("bs4.BeautifulSoup", reject)  # which markup it rejects differs between versions of Python
    with pytest.raises(DocumentError, match=r"a\.html is not readable HTML: unknown keyword in marked section$"):
        read_passages(write("a.html", "<p>Cats purr.</p>"))


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("mammoth", "a.docx", "docx"), ("pypdfium2", "a.pdf", "rag"), ("bs4", "a.html", "rag")],
)
def test_a_missing_reader_is_named_with_the_extra_that_brings_it(write, monkeypatch, module, name, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf'is not installed: pip install "jarvisperf\[{extra}\]"'):
        read_passages(write(name, b"anything"))
