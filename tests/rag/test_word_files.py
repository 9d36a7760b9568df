"""Tests how Word files are read: headings, tables with their header, formulas, damaged files."""

from __future__ import annotations

import zipfile

import pytest

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.files import read_passages

NAMES = "http://schemas.openxmlformats.org"
LONG = "A sentence of some words. " * 30


@pytest.fixture
def docx(tmp_path, require):
    """Builds a Word file by hand (ECMA-376) from the elements of its body, and returns its passages."""
    require("mammoth")

    def build(*body):
        path = tmp_path / "a.docx"
        kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(
                "[Content_Types].xml",
                f'<Types xmlns="{NAMES}/package/2006/content-types">'
                '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
            )
            file.writestr(
                "_rels/.rels",
                f'<Relationships xmlns="{NAMES}/package/2006/relationships"><Relationship Id="r1"'
                f' Type="{NAMES}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
                "</Relationships>",
            )
            file.writestr(
                "word/document.xml",
                f'<w:document xmlns:w="{NAMES}/wordprocessingml/2006/main"'
                f' xmlns:m="{NAMES}/officeDocument/2006/math"><w:body>{"".join(body)}</w:body></w:document>',
            )
        return read_passages(path)

    return build


def paragraph(text, style=None):
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def table(rows, look):
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl><w:tblPr>{look}</w:tblPr>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def part(name, *parts):
    """Return a part of a formula, made of other parts and letters."""
    inner = (one if one.startswith("<") else f"<m:r><m:t>{one}</m:t></m:r>" for one in parts)
    return f"<m:{name}>{''.join(inner)}</m:{name}>"


def formula(*parts):
    return f"<w:p><w:r><w:t>It is</w:t></w:r>{part('oMathPara', part('oMath', *parts))}</w:p>"


def test_a_word_file_is_split_along_its_headings(docx):
    passages = docx(paragraph("One", "Heading1"), paragraph(LONG), paragraph("Two", "Heading2"), paragraph(LONG))
    assert list(dict.fromkeys(passage.section for passage in passages)) == ["One", "Two"]


@pytest.mark.parametrize("look", ['<w:tblLook w:firstRow="1"/>', '<w:tblLook w:val="04A0"/>'])
def test_each_part_of_a_table_that_is_formatted_with_a_header_repeats_it(docx, look):
    passages = docx(table([["Part", "Price"], *([f"part {n}", f"{n} euro"] for n in range(100))], look))
    assert len(passages) > 1
    assert all(passage.text.startswith("| Part | Price |\n| --- | --- |\n") for passage in passages)


@pytest.mark.parametrize("look", ["", '<w:tblLook w:firstRow="0" w:val="04A0"/>', '<w:tblLook w:val="0480"/>'])
def test_a_table_that_is_not_formatted_with_a_header_has_none(docx, look):
    (passage,) = docx(table([["Part", "Price"], ["lid", "3"]], look))
    assert passage.text == "| Part | Price |\n| lid | 3 |"


@pytest.mark.parametrize(
    ("formula_parts", "text"),
    [
        ([part("sSup", part("e", "r"), part("sup", "2"))], "r^2"),
        ([part("f", part("num", "a+b"), part("den", "2")), "=c"], "(a+b)/2=c"),
        ([part("rad", part("deg"), part("e", "xy"))], "\u221axy"),
        (
            [part("nary", '<m:chr m:val="\u2211"/>', part("sub", "i=0"), part("sup", "n"), part("e", "i"))],
            "\u2211_(i=0)^n i",
        ),
        ([part("d", '<m:begChr m:val="["/><m:endChr m:val="]"/>', part("e", "x"), part("e", "y"))], "[x|y]"),
        ([part("func", part("fName", "sin"), part("e", "x"))], "sin x"),
        ([part("limLow", part("e", "max"), part("lim", "x"))], "max_x"),
        ([part("m", part("mr", part("e", "1"), part("e", "2")), part("mr", part("e", "3")))], "1, 2; 3"),
        ([part("box", part("e", "E=m"))], "E=m"),
        ([part("sSup", part("e", "a+b"), part("sup", "2"))], "(a+b)^2"),
        ([part("sSup", part("e", part("d", part("e", "a+b"))), part("sup", "2"))], "(a+b)^2"),
        ([part("eqArr", part("e", "x=1"), part("e", "y=2"))], "x=1; y=2"),
        ([part("sPre", part("sub", "1"), part("sup", "2"), part("e", "H"))], "_1^2 H"),
        ([part("acc", '<m:chr m:val="\u0303"/>', part("e", "x"))], "x\u0303"),
        ([part("bar", '<m:pos m:val="top"/>', part("e", "x"))], "x\u0304"),
    ],
)
def test_a_formula_is_read_as_word_writes_it_in_a_line(docx, formula_parts, text):
    (passage,) = docx(formula(*formula_parts))
    assert passage.text == f"It is {text}"


def test_a_damaged_file_within_a_word_file_does_not_matter(docx, tmp_path):
    docx(paragraph("It is full."))
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("word/embeddings/table.bin", b"whole")
    path.write_bytes(path.read_bytes().replace(b"whole", b"false"))  # its checksum is wrong
    assert read_passages(path)[0].text == "It is full."


def test_a_damaged_word_file_is_named(write, require):
    require("mammoth")
    with pytest.raises(DocumentError, match=r"a\.docx is not a readable Word file"):
        read_passages(write("a.docx", b"no zip"))
