"""Tests what passages look like to a reader: sections, tables, code, pictures, escapes, encodings, lengths."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.files import read_document, read_passages
from jarvisperf.rag.ingest.limits import limit_for
from jarvisperf.rag.ingest.splitting import CHARACTERS, Limit


@pytest.fixture(autouse=True)
def _readers(require):
    for module in ("markdown_it", "docutils", "bs4", "yaml"):
        require(module)


PUMP = "The pump moves water from the lower tank to the upper tank every night. " * 12
TITLES = ["Guide", "Usage", "Limits"]
ROWS = [f"| part-{number} | {number * 3} euro | shelf {number} |" for number in range(100)]


def sections(passages):
    return [passage.section for passage in passages]


# Sections


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", f"# Guide\n\n{PUMP}\n\nUsage\n-----\n\n{PUMP}\n\nLimits\n======\n\n{PUMP}"),
        ("a.md", f"# Guide {{ #guide }}\n\n{PUMP}\n\n## *Usage* ##\n\n{PUMP}\n\n### [Limits](x.md) {{: .y}}\n\n{PUMP}"),
        ("a.rst", f"=====\nGuide\n=====\n\n{PUMP}\n\n.. _usage:\n\nUsage\n-----\n\n{PUMP}\n\nLimits\n~~~~~~\n\n{PUMP}"),
        ("a.html", f"<h1>Guide<a href=#x>¶</a></h1><p>{PUMP}<h2>Usage</h2><p>{PUMP}<h3> Limits </h3><p>{PUMP}"),
        ("a.ipynb", json.dumps({"cells": [{"cell_type": "markdown", "source": f"# {t}\n\n{PUMP}"} for t in TITLES]})),
    ],
)  # fmt: skip
def test_each_passage_tells_its_own_section(write, name, text):
    passages = read_passages(write(name, text))
    assert sections(passages) == TITLES
    assert all("tank" in passage.text for passage in passages)


@pytest.mark.parametrize("heading", ["Price of the parts", "# " * 3])
def test_a_bare_heading_is_never_a_passage(write, heading):
    table = "\n".join(["| Part | Price | Place |", "|---|---|---|", *ROWS])
    text = f"# Shop\n\n## {heading}\n\n{table}\n\n# The end\n\n## Of it\n"
    passages = read_passages(write("a.md", text))
    assert all("| part-" in passage.text for passage in passages)
    assert "# Shop" in passages[0].text
    assert passages[-1].text.endswith("# The end\n\n## Of it")
    assert max(len(passage.text) for passage in passages) <= CHARACTERS.size


def test_the_rest_of_a_section_is_not_left_as_a_tiny_passage(write):
    passages = read_passages(write("a.md", f"# Guide\n\n{PUMP * 3}\n\nIt is old.\n"))
    assert min(len(passage.text) for passage in passages) > 200
    assert passages[-1].text.endswith("It is old.")


def test_short_code_and_tables_of_a_section_are_one_passage(write):
    text = "# Pumps\n\n```python\npump()\n```\n\n```js\npump()\n```\n\n| Part | Price |\n|---|---|\n| lid | 3 |\n"
    assert len(read_passages(write("a.md", text))) == 1


def test_a_passage_points_to_its_place_in_the_file(write):
    lines = f"---\ntitle: Tanks\n---\n\n# Guide\n\n{PUMP}\n\n# Usage\n\n{PUMP}".split("\n")
    first, second = read_passages(write("a.md", "\n".join(lines)))
    assert (lines[first.metadata["line"] - 1], lines[second.metadata["line"] - 1]) == ("# Guide", "# Usage")


@pytest.mark.parametrize(
    ("name", "before", "form", "after"),
    [
        ("a.md", "# Tanks\n\n", "The tank number {0} is full.", ""),
        ("a.md", "# Tanks\n\n```python\n", "tank_{0}.fill()  # every night and every morning", "\n```"),
        ("a.md", "# Tanks\n\n| Tank | State |\n|---|---|\n", "| number {0} | it is full |", ""),
        ("a.rst", "Tanks\n=====\n\nThis::\n\n", "    tank_{0}.fill()  # every night and every morning", ""),
        ("a.rst", "Tanks\n=====\n\n", "The tank number {0} is full.", ""),
        ("a.html", "<h1>Tanks</h1>\n<pre>\n", "tank_{0}.fill()  # every night and every morning", "</pre>"),
        ("a.csv", "tank,state\n", "number {0},it is full", ""),
        ("a.txt", "", "The tank number {0} is full.", ""),
    ],
)
def test_each_part_of_a_long_block_points_to_its_own_line(write, name, before, form, after):
    text = before + "\n".join(form.format(number) for number in range(200)) + after
    lines = text.split("\n")
    passages = read_passages(write(name, text))
    assert len(passages) > 3
    numbered = re.compile(r"(?:tank_|number )(\d+)")
    for passage in passages[1:]:
        assert numbered.search(lines[passage.metadata["line"] - 1])[1] == numbered.search(passage.text)[1]


# Tables and code


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "# Parts\n\n| Part | Price | Place |\n|---|---|---|\n" + "\n".join(ROWS)),
        (
            "a.html",
            "<table><tr><th>Part<th>Price<th>Place</tr>"
            + "".join(f"<tr><td>{'<td>'.join(row.strip('| ').split(' | '))}" for row in ROWS)
            + "</table>",
        ),
        ("a.csv", "Part;Price;Place\n" + "\n".join(";".join(row.strip("| ").split(" | ")) for row in ROWS)),
        (
            "a.rst",
            ".. list-table::\n   :header-rows: 1\n\n   * - Part\n     - Price\n     - Place\n"
            + "\n".join("   * - " + "\n     - ".join(row.strip("| ").split(" | ")) for row in ROWS),
        ),
    ],
)
def test_each_part_of_a_table_names_the_columns(write, name, text):
    passages = read_passages(write(name, text))
    assert len(passages) > 3
    assert all("| Part | Price | Place |" in passage.text for passage in passages)
    rows = [line for passage in passages for line in passage.text.split("\n") if line.startswith("| part-")]
    assert rows == ROWS


def test_long_rows_name_the_column_of_each_value(write):
    first, second = read_passages(write("a.csv", f'name,story\nBia,"{PUMP}"\nIvo,"{PUMP}"\n'))
    assert first.text.startswith("name: Bia\nstory: The pump")
    assert second.metadata == {"line": 3}


@pytest.mark.parametrize("fence", ["```python", "~~~~ {.python}"])
def test_code_is_kept_whole_with_its_language(write, fence):
    code = "\n\n".join(f"def f{number}():\n    return {number}" for number in range(20))
    close = fence.split(" ")[0].removesuffix("python")
    passages = read_passages(write("a.md", f"# Code\n\n{PUMP}\n\n{fence}\n{code}\n{close}\n\n{PUMP}"))
    (whole,) = [passage for passage in passages if "def f0" in passage.text]
    assert f"```python\n{code}\n```" in whole.text
    assert whole.metadata["code_language"] == "python"


def test_code_that_is_too_long_is_cut_between_lines_and_each_part_is_fenced(write):
    lines = [f"    value_{number} = compute({number})  # a comment. And more." for number in range(100)]
    passages = read_passages(write("a.md", "```py\n" + "\n".join(lines) + "\n```"))
    assert all(passage.text.startswith("```py\n    value_") for passage in passages)
    assert all(passage.text.endswith("\n```") for passage in passages)
    assert [line for passage in passages for line in passage.text.split("\n")[1:-1]] == lines


# What no reader sees


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "Water.\n\n![chart][one] ![map](data:image/png;base64,{0})\n\n[one]: <data:image/png;base64,{0}>\n"),
        ("a.md", 'Water.\n\n<p align="center"><img src="data:image/png;base64,{0}"></p>\n'),
        ("a.html", "<p>Water.</p><img alt=chart src='data:image/png;base64,{0}'>"),
        ("a.ipynb", '{{"cells": [{{"cell_type": "markdown", "source": "Water. ![x](data:image/png;base64,{0})"}}]}}'),
    ],
)
def test_pictures_are_not_text(write, name, text):
    passages = read_passages(write(name, text.format("iVBORw0KGgo" * 1000)))
    assert "Water." in passages[0].text
    assert "iVBOR" not in "".join(passage.text for passage in passages)


def test_navigation_and_permalinks_are_not_text(write):
    page = (
        "<body><header>Site</header><nav>Home</nav><div role=search>Find</div><main><h1>Pumps<a class=headerlink>¶</a>"
        f"</h1><p>{PUMP}</p></main><footer>Imprint</footer></body>"
    )
    (passage,) = read_passages(write("a.html", page))
    assert passage.text == f"# Pumps\n\n{PUMP.strip()}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", "<p>Set max_batch_size to 10*2 in __init__.</p>"),
        ("a.md", r"Set max\_batch\_size to 10\*2 in \_\_init\_\_."),
        ("a.rst", r"Set max_batch_size to 10\*2 in \_\_init__."),
    ],
)
def test_names_are_written_as_a_reader_sees_them(write, name, text):
    assert read_passages(write(name, text))[0].text == "Set max_batch_size to 10*2 in __init__."


def test_backslashes_in_code_stay(write):
    (passage,) = read_passages(write("a.md", "Write `a\\_b` and ``c`\\_d``, not e\\_f.\n\n    g\\_h"))
    assert passage.text == "Write `a\\_b` and ``c`\\_d``, not e_f.\n\n    g\\_h"


def test_what_only_sphinx_knows_is_read_as_text(write):
    text = (
        "Title\n=====\n\n.. toctree::\n\n   other\n\nSee :func:`~a.b` and :ref:`the guide <guide>`.\n\n"
        ".. versionadded:: 3.2\n\n   The *pump*.\n\n.. function:: open(file)\n\n   Opens a file.\n"
    )
    (passage,) = read_passages(write("a.rst", text))
    assert passage.text == (
        "# Title\n\nSee a.b and the guide.\n\nAdded in version 3.2.\n\nThe pump.\n\nopen(file)\n\nOpens a file."
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            ".. versionadded:: 3.1\n   The :func:`pump` has\n   a ``speed``.\n",
            "Added in version 3.1: The pump has a speed.",
        ),
        (".. versionchanged:: 3.1 It is faster.\n", "Changed in version 3.1: It is faster."),
        (".. deprecated:: 3.1\n\n   Use :func:`lift`.\n", "Deprecated since version 3.1.\n\nUse lift."),
        (".. only:: html\n\n   It is on the web.\n", "It is on the web."),
    ],
)
def test_what_changed_in_which_version_is_read_as_sphinx_writes_it(write, source, text):
    assert read_passages(write("a.rst", source))[0].text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("=====  ====\nThe big tank\n=====  ====\nis     full\n=====  ====\n", "The big tank\nis     full"),
        ("- The tank\n\n  The lid\n  -------\n\n  It is shut.\n", "The tank\n\nThe lid\n\nIt is shut."),
        (".. note::\n\n   =======\n   The lid\n   =======\n\n   It is shut.\n", "The lid\n\nIt is shut."),
    ],
)
def test_tables_and_titles_that_docutils_rejects_are_text(write, source, text):
    assert read_passages(write("a.rst", source))[0].text == text


def test_code_with_options_that_only_sphinx_knows_is_code(write):
    text = ".. code-block:: python\n   :linenos:\n   :caption: x.py\n\n   def f():\n       return 1\n"
    (passage,) = read_passages(write("a.rst", text))
    assert passage.text == "```python\ndef f():\n    return 1\n```"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (":::tip The tank\nIt is full.\n:::\n", "The tank\nIt is full."),
        ("::: warning\nIt is full.\n:::\n", "It is full."),
        ("::: {.warning #a}\nIt is full.\n:::\n", "It is full."),
        (":::{tip} The tank\nIt is full.\n:::\n", "The tank\nIt is full."),
        (f"[![a tank](data:x,y)](https://a.b/#{'x' * 300}) is full.", "a tank is full."),
        (":::note[The tank]\n\nIt is full.\n\n:::\n", "The tank\n\nIt is full."),
        ("/// tip | The tank\n\nIt is full.\n\n///\n", "The tank\n\nIt is full."),
        (
            'It is <span class="x">full</span>:<br>see `<span>`, a < b, List<T> and <https://a.b>.',
            "It is full: see `<span>`, a < b, List<T> and <https://a.b>.",
        ),
        (f"It is full ([try it](https://a.b/#{'x' * 300}), [see](b.md)).", "It is full (try it, [see](b.md))."),
    ],
)
def test_markers_of_blocks_tags_and_addresses_that_are_programs_are_not_text(write, source, text):
    assert read_passages(write("a.md", source))[0].text == text


CODE = f"/// Fills the tank.\n::: full\nfill(a <b>) \\* <!-- now --> [it](https://a.b/#{'x' * 300})"


def indented(text, by):
    return "".join(f"{by}{line}" for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "source",
    [
        f"```\n{CODE}\n```",
        f"~~~\n{CODE}\n~~~",
        indented(CODE, "    "),
        f"- Tanks:\n\n{indented(CODE, '      ')}",
        f"- Tanks:\n\n  ```\n{indented(CODE, '  ')}\n  ```\n- Lids",
        f"1. Tanks:\n   - Lids:\n     ~~~\n{indented(CODE, '     ')}\n     ~~~\n",
        f"> ~~~\n{indented(CODE, '> ')}\n> ~~~",
        f"The tank `{CODE.splitlines()[-1]}` is full.",
    ],
)
def test_code_is_read_as_it_is_wherever_it_stands(write, source):
    text = read_passages(write("a.md", f"# Tanks\n\nTanks <b>are</b> \\*full\\*.\n\n{source}\n"))[0].text
    assert text.startswith("# Tanks\n\nTanks are *full*.\n\n")
    for line in CODE.splitlines() if "\n" in source else CODE.splitlines()[-1:]:
        assert line in text


@pytest.mark.parametrize(
    "text", ["/// Fills the tank.", "::: tanks.Tank", "if a <b and c> d", "A tank :::", "See ///tank/lid."]
)
def test_what_only_resembles_a_marker_or_a_tag_is_text(write, text):
    assert read_passages(write("a.md", text))[0].text == text.removeprefix("::: ")


def test_text_around_code_in_an_item_is_read_as_elsewhere(write):
    source = "- The <b>tank</b>:\n\n  ```\n  fill(<b>)\n  ```\n\n  ::: note Beware\n  \\*Full\\*.\n  :::\n"
    (passage,) = read_passages(write("a.md", source))
    assert " ".join(passage.text.split()) == "- The tank: ``` fill(<b>) ``` Beware *Full*."


def test_comments_are_not_text_except_in_code(write):
    (passage,) = read_passages(write("a.md", "One <!-- two --> `<!-- three -->`.\n\n<!--\nfour\n-->\n"))
    assert passage.text == "One  `<!-- three -->`."


def test_a_document_does_not_read_other_files(write, tmp_path):
    secret = write("secret.txt", "sunflower")
    document = write("a.rst", f"Text.\n\n.. include:: {secret}\n\n.. csv-table::\n   :file: {secret}\n\nMore.\n")
    assert "sunflower" not in "".join(passage.text for passage in read_passages(document))


def test_front_matter_becomes_metadata(write):
    head = "title: Tanks\nyear: 2020\ndate: 2020-05-01\ntags: [a, b]\nauthor: {name: Bia}"
    (passage,) = read_passages(write("a.md", f"---\n{head}\n---\n\nWater."))
    assert passage.text == "Water."
    assert passage.metadata == {
        "title": "Tanks",
        "year": 2020,
        "date": "2020-05-01",
        "tags": ["a", "b"],
        "author": '{"name": "Bia"}',
        "line": 5 + 4,
    }


def test_front_matter_cannot_pretend_to_be_another_source(rag, write):
    path = write("a.md", "---\nsource: elsewhere\n_jarvisperf: x\n'#a': 1\nyear: 2020\n---\n\nWater.")
    rag.add_document_optimized(path)
    (found,) = rag.search("water")
    assert (found.source, found.metadata["source"], found.metadata["year"]) == ("a.md", str(path), 2020)
    assert found.metadata.keys() == {"source", "year", "position", "line"}


# What cannot be read


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><p>Apples.</p></body><p>Pears.</p></html>",
        "<html><body><p>Apples.</p></body></html>\n<html><body><p>Pears.</p></body></html>",
        "<main><p>Apples.</p></main><p>Pears are sweeter than apples.</p>",
    ],
)
def test_text_after_an_early_end_is_read(write, page):
    text = read_passages(write("a.html", page))[0].text
    assert "Apples." in text
    assert "Pears" in text


def test_a_page_that_a_script_renders_is_reported(write):
    with pytest.raises(
        DocumentError, match=r"app\.html contains no text outside its menus: if a script renders the page"
    ):
        read_document(write("app.html", "<body><div id=root></div><script>start()</script></body>"))


# Lengths


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_no_sentence_is_cut_where_lines_are_wrapped(write, name):
    sentence = "The pump moves water from\nthe lower tank to the\nupper tank every night."
    passages = read_passages(write(name, "\n".join([sentence] * 60)))
    assert len(passages) > 3
    assert all(passage.text.startswith("The pump") for passage in passages)
    assert all(passage.text.endswith("night.") for passage in passages)


@pytest.mark.parametrize(
    "text",
    [
        "数据库的备份每天晚上进行一次\uff0c管理员必须检查日志文件。" * 50,
        "数据库的备份每天晚上进行一次" * 50,
        "Резервная копия базы данных создаётся каждую ночь. " * 30,
        "x" * 2000,
        "e\u0301" * 1000,
    ],
)
def test_passages_fit_the_model_in_its_own_tokens_and_lose_nothing(write, text):
    class Model:
        max_tokens = 50

        def count_tokens(self, text):
            return len(text.encode()) // 2  # a tokenizer that knows no words of this script

    limit = limit_for(Model())
    passages = read_passages(write("a.txt", text), limit)
    assert max(limit.measure(passage.text) for passage in passages) <= 50
    assert "".join("".join(passage.text.split()) for passage in passages) == "".join(text.split())
    assert not any(passage.text.startswith("\u0301") for passage in passages)


def test_an_overlap_repeats_the_end_of_the_passage_before(write):
    sentences = [f"Sentence number {number} is here. " for number in range(40)]
    passages = read_passages(write("a.txt", "".join(sentences)), Limit(200, len, overlap=60))
    for before, after in itertools.pairwise(passages):
        assert before.text.split(". ")[-1].strip(".") in after.text
    assert max(len(passage.text) for passage in passages) <= 200


@pytest.mark.parametrize("unit", ["The pump moves water.\nThe keeper writes.\n\n", "word ", "x", "a.b\n"])
def test_the_work_grows_with_the_length_of_the_text_and_not_with_its_square(write, unit):
    def measured(characters):
        total = 0

        def measure(text):
            nonlocal total
            total += len(text)
            return len(text)

        read_passages(write("a.txt", unit * (characters // len(unit))), Limit(1000, measure))
        return total

    assert measured(400_000) < 4.5 * measured(100_000)


# Encodings


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "Ação do mar".encode("utf-16")),
        ("a.md", "Ação do mar".encode("utf-16-le")),
        ("a.txt", "Ação do mar".encode("utf-16-be")),
        ("a.html", "<p>Ação do mar</p>".encode("utf-16-le")),
        ("a.txt", "Ação do mar".encode("utf-32")),
        ("a.rst", ".. -*- coding: latin-1 -*-\n\nAção do mar".encode("latin-1")),
        ("a.csv", b"\xef\xbb\xbf" + "Ação do mar".encode()),
    ],
)
def test_text_is_decoded_by_its_mark_or_declaration_and_utf_16_by_its_zeros(write, name, content):
    assert "Ação do mar" in read_passages(write(name, content))[0].text


@pytest.mark.parametrize("name", ["a.txt", "a.html"])
def test_bytes_that_are_no_text_are_rejected(write, name):
    with pytest.raises(DocumentError, match=r"contains control characters|is not UTF-8"):
        read_passages(write(name, bytes(range(256)) * 4 + b"\0\0\0" * 100))
