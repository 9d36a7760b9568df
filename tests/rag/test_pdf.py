"""Tests how the pages of PDF files are read: words and lines that the layout broke, Arabic, Korean, bullets, scans."""

from __future__ import annotations

import pytest

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.files import read_document, read_passages


def pdf(*pages, says=None, unknown=""):
    """Build a PDF by hand (ISO 32000-1, 7.5): Helvetica, one line of text per page.

    Args:
        pages: The text of each page.
        says: What each byte of it means, in place of Latin letters.
        unknown: Letters that the font gives names that nobody knows.
    """
    count = len(pages)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {count} /Kids [{' '.join(f'{4 + 2 * n} 0 R' for n in range(count))}] >>".encode(),
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode {4 + 2 * count} 0 R"
        f" /Encoding << /Differences [{' '.join(f'{ord(byte)} /g{ord(byte)}x' for byte in unknown)}] >> >>".encode(),
    ]
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode()
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9000 800] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>".encode(),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        ]
    objects.append(cmap({} if says is None else says))
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def cmap(says):
    """Return a map from bytes to text (ISO 32000-1, 9.10.3)."""
    rows = "".join(f"<{ord(byte):02x}> <{text.encode('utf-16-be').hex()}>\n" for byte, text in says.items())
    stream = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange <00> <ff>"
        f" endcodespacerange {len(says)} beginbfchar\n{rows}endbfchar endcmap end end"
    ).encode()
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)


def lines(*texts):
    """Return lines below each other, for `pdf`."""
    return ") Tj 0 -14 Td (".join(texts)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("The infor-", "mation desk opens at nine."), "The information desk opens at nine."),
        (("The well-known desk is a well-", "known desk."), "The well-known desk is a well-known desk."),
        (("It was opened in 2019-", "2020 by Marie-", "Luise."), "It was opened in 2019-2020 by Marie-Luise."),
        (("The desk opens at nine -", "and closes at six."), "The desk opens at nine - and closes at six."),
        (("The desk opens at nine and", "closes at six."), "The desk opens at nine and closes at six."),
    ],
)
def test_words_and_lines_that_the_layout_of_a_pdf_broke_are_joined(write, require, texts, expected):
    require("pypdfium2")
    assert read_passages(write("a.pdf", pdf(lines(*texts))))[0].text == expected


def test_a_page_of_a_pdf_that_shows_something_but_has_no_text_is_reported(write, require):
    require("pypdfium2")
    document = read_document(write("a.pdf", pdf("Cats purr.", ") Tj ET 50 50 99 99 re f BT (", "", "Dogs bark.")))
    assert [passage.section for passage in document.passages] == ["page 1", "page 4"]
    assert document.unread == ("page 2 contains no text: if it is scanned, run OCR on it first",)


def test_a_pdf_is_read_page_by_page(write, require):
    require("pypdfium2")
    passages = read_passages(write("a.pdf", pdf("Cats purr. " * 40, "Dogs bark. " * 40)))
    assert [passage.section for passage in passages] == ["page 1", "page 2"]
    assert "Cats purr." in passages[0].text
    assert "Dogs bark." in passages[-1].text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no pdf", "is not a readable PDF"),
        (pdf(" "), r"contains no text: if its pages are scanned, run OCR on it first"),
    ],
)
def test_a_pdf_that_cannot_be_read_or_holds_no_text_is_named(write, require, content, message):
    require("pypdfium2")
    with pytest.raises(DocumentError, match=rf"a\.pdf {message}"):
        read_passages(write("a.pdf", content))


def test_the_letters_of_an_arabic_glyph_are_in_order(write, require):
    require("pypdfium2")
    says = {"a": "\u0633", "b": "\u0644\u0627", "c": "\u0645"}  # glyphs from left to right: meem, lam-alef, seen
    assert read_passages(write("a.pdf", pdf("cba", says=says)))[0].text == "\u0633\u0644\u0627\u0645"


def test_a_ligature_of_latin_letters_stays_in_order(write, require):
    require("pypdfium2")
    says = {"a": "o", "b": "ffi", "c": "ce", "d": "\u0645"}
    assert read_passages(write("a.pdf", pdf("abc) Tj 0 -14 Td (d", says=says)))[0].text.startswith("office")


def test_an_arabic_vowel_sign_above_a_space_belongs_to_the_letter_after_it(write, require):
    require("pypdfium2")
    says = {"a": "\u0623", "b": "\u064a", "c": "\u064b", "d": "\u0636", "e": "\u0627"}
    assert read_passages(write("a.pdf", pdf("edc ba", says=says)))[0].text == "\u0623\u064a\u0636\u064b\u0627"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("abab", "cdcd", "abab", "cdcd"), "가나가나 다라다라 가나가나 다라다라"),
        (("abab ", "cdcd", "abab ", "cdcd"), "가나가나 다라다라가나가나 다라다라"),
    ],
)
def test_korean_lines_are_joined_with_a_space_unless_the_page_breaks_words(write, require, texts, expected):
    require("pypdfium2")
    says = dict(zip("abcd", "가나다라", strict=True))
    assert read_passages(write("a.pdf", pdf(lines(*texts), says={**says, " ": " "})))[0].text == expected


@pytest.mark.parametrize("bullet", ["\u25cf", "\u25a0", "\uf0b7", "\x84"])
def test_each_bullet_begins_a_line(write, require, bullet):
    require("pypdfium2")
    page = pdf(lines("The desk lends out", "~ umbrellas for a day and", "~ boots for a week"), says={"~": bullet})
    shown = "\u2022" if bullet in "\uf0b7\x84" else bullet
    (passage,) = read_passages(write("a.pdf", page))
    assert passage.text.splitlines()[1:] == [f"{shown} umbrellas for a day and", f"{shown} boots for a week"]


def test_the_lines_of_a_narrow_column_are_joined_next_to_wide_ones(write, require):
    require("pypdfium2")
    wide = [f"All rooms of floor {number} and the way to them are shown on the map at the desk" for number in range(8)]
    narrow = ["Each of us here", "The Desk in the", "Hall can help"]
    (passage,) = read_passages(write("a.pdf", pdf(lines(*wide, *["x y z of the desk"] * 8, *narrow))))
    assert passage.text.endswith("Each of us here The Desk in the Hall can help")


def test_letters_that_a_font_does_not_name_are_reported(write, require):
    require("pypdfium2")
    document = read_document(write("a.pdf", pdf("abcdefghijklmn", "Boats leave at 9.", unknown="abcdef")))
    problem = "page 1 may be misread: its fonts do not name 43% of its letters: run OCR on it"
    assert document.unread[0] == problem
    assert "ghijklmn" in document.passages[0].text


def test_words_between_nameless_control_characters_are_not_one_word(write, require):
    require("pypdfium2")
    page = pdf("Boats\\002leave\\002at\\002noon", unknown="Boatslevn\x02")
    assert read_document(write("a.pdf", page)).passages[0].text == "Boats leave at noon"


def test_the_lines_of_a_table_of_contents_and_of_a_table_of_numbers_stay_apart(write, require):
    require("pypdfium2")
    page = pdf(lines("The desk . . . . . . . . . 7", "The hall ........ 9", "", "2019 12.5 40 31", "2020 13.5 44 30"))
    (passage,) = read_passages(write("a.pdf", page))
    assert passage.text.split("\n") == ["The desk \u2026 7", "The hall \u2026 9", "2019 12.5 40 31", "2020 13.5 44 30"]
