"""Tests what of a web page becomes text: not its menus, but every word of its tables, each in its row and column."""

from __future__ import annotations

import pytest

from jarvisperf.rag.ingest.files import read_passages

STORY = "The lamp on the pier is lit an hour before sunset and burns until the last boat is home. " * 3


@pytest.fixture
def read(write, require):
    """Returns the text of a page, passage by passage."""
    require("bs4")

    def read(page):
        return [passage.text for passage in read_passages(write("a.html", page))]

    return read


@pytest.mark.parametrize(
    "menu",
    [
        '<div class="navheader"><table><tr><td><a href=b>Prev</a><td>Menu<td><a href=c>Next</a></table></div>',
        '<table class="navigation"><tr><td><a href=b>Top</a><td>Menu</table>',
        '<div class="header"><p>Next: <a rel="next" href=b>Menu</a>, Up: <a rel="up" href=c>Top</a></p></div>',
        '<div id="nav-path"><ul><li><a href=b>Menu</a></ul></div>',
        '<p class="noprint">Menu</p>',
        '<ul><li class="interlanguage-link"><a href=b>Menu</a></ul>',
        '<table class="vertical-navbox"><tr><td>Menu<td>Other pages</table>',
        "<h2>X</h2><div><ul><li><a href=#a>Lamp</a><ul><li><a href=#b>Pier</a></ul><li><a href=#c>Sea</a></ul></div>",
    ],
)
def test_menus_of_several_generators_and_tables_of_contents_are_not_text(read, menu):
    assert read(f"<div>{menu}</div><h2>Harbour</h2><p>{STORY}") == [f"## Harbour\n\n{STORY.strip()}"]


@pytest.mark.parametrize(
    "text",
    [
        "<ul><li><a href=#a>Lamps</a> are lit at dusk<li><a href=#b>Boats</a><li><a href=#c>Piers</a></ul>",
        "<ul><li><a href=other.html>Lamps at dusk</a><li><a href=b>Boats</a><li><a href=c>Piers</a></ul>",
        '<div class="header"><p>Lamps at dusk</p></div>',
    ],
)
def test_lists_that_say_something_and_headers_of_articles_are_text(read, text):
    assert "at dusk" in read(text)[0]


def test_a_byline_is_not_a_section(write, require):
    require("bs4")
    (passage,) = read_passages(write("a.html", f"<h1>Harbour</h1><h3 class=author>Ana Reis</h3><p>{STORY}"))
    assert passage.section == "Harbour"
    assert "Ana Reis" in passage.text


def test_a_cell_that_spans_rows_is_repeated_and_one_that_spans_columns_keeps_the_others_in_place(read):
    (text,) = read(
        "<table><tr><th>Pier<th>Lamp<th>Hours<tr><td rowspan=2>North<td>red<td>9"
        "<tr><td>green<td>8<tr><td colspan=2>South<td>7</table>"
    )
    assert text.splitlines()[2:] == ["| North | red | 9 |", "| North | green | 8 |", "| South |  | 7 |"]


@pytest.mark.parametrize("span", ["0", "-1", "x", "99999999999999999999", "60000"])
def test_a_span_of_any_number_is_read(read, span):
    (text,) = read(f"<table><tr><td rowspan={span}>North<td colspan={span}>red<tr><td>green<td>8</table>")
    assert all(word in text for word in ("North", "red", "green", "8"))


def test_paragraphs_lists_and_lines_of_a_cell_do_not_run_together(read):
    (text,) = read(
        "<table><tr><th>Pier<th>Lamp<tr><td><p>North</p><p>side</p><td><ul><li>red<li>green</ul>old<br>new</table>"
    )
    assert text.splitlines()[-1] == "| North side | red green old new |"


def test_the_cells_of_a_row_stay_together_in_a_table_with_headings(read):
    (text,) = read("<table><tr><td colspan=2><h2>Lamps</h2><tr><td>red</td><td>north pier</td></tr></table>")
    assert text == "## Lamps\n\n| red | north pier |"


def test_code_in_two_languages_is_two_blocks(read):
    (text,) = read("<pre><code class=language-js>lamp.on()</code><code class=language-python>lamp.on</code></pre>")
    assert text == "```js\nlamp.on()\n```\n\n```python\nlamp.on\n```"


def test_the_name_of_a_picture_s_file_is_not_text_and_its_description_is(read):
    (text,) = read('<p>North <img src=a.png alt="images/lamp 1.PNG"> and <img src=b.png alt="a red lamp"></p>')
    assert text == "North and a red lamp"
