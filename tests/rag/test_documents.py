from __future__ import annotations

import pytest

from jarvisperf.rag.documents import PASSAGE_CHARACTERS, read_passages
from jarvisperf.rag.errors import DocumentError


@pytest.fixture(autouse=True)
def _splitter(require):
    require("semantic_text_splitter")


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


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
    assert max(len(passage.text) for passage in passages) <= PASSAGE_CHARACTERS[1]
    assert " ".join(passage.text for passage in passages).split() == words


@pytest.mark.parametrize("text", ["", " \n\n\t "])
def test_an_empty_file_has_no_passages(write, text):
    assert read_passages(write("a.md", text)) == []


def test_a_byte_order_mark_is_not_part_of_the_text(write):
    assert read_passages(write("a.txt", b"\xef\xbb\xbfhello"))[0].text == "hello"


def test_another_type_is_refused_with_those_that_are_allowed(write):
    with pytest.raises(
        DocumentError,
        match=r"a\.xyz is of the type \.xyz: give one of \.docx, \.htm, \.html, \.markdown, \.md, \.pdf, \.rst",
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
