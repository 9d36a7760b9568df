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
        '<div class="toc"><h2>Menu</h2><a href=b>Pages</a></div>',
        "<div hidden>Menu</div>",
        "<noscript><h1>Menu</h1></noscript>",
        '<div class="related"><article><a href=b>Menu</a></article></div><article></article>',
        "<button>Menu</button>",
    ],
)
def test_menus_of_several_generators_and_tables_of_contents_are_not_text(read, menu):
    places = "<a id=a></a><a id=user-content-b></a><a name=c></a>"
    page = f"<div>{menu}</div><h2>Harbour {places}<button>Menu</button></h2><p>{STORY}"
    assert read(page) == [f"## Harbour\n\n{STORY.strip()}"]


@pytest.mark.parametrize(
    "text",
    [
        "<ul><li><a href=#a>Lamps</a> are lit at dusk<li><a href=#b>Boats</a><li><a href=#c>Piers</a></ul>",
        "<ul><li><a href=other.html>Lamps at dusk</a><li><a href=b>Boats</a><li><a href=c>Piers</a></ul>",
        '<div class="header"><p>Lamps at dusk</p></div>',
        '<div class="header"><h1>Lamps</h1><p class="summary">They are lit at dusk.</p></div><p>Always.',
        "<ul><li><a href=#a>Lamps at dusk</a><li><a href=#b>Boats</a><li><a href=#c>Piers</a></ul>",
        "<ul><li><a href=#>Lamps at dusk</a><li><a href=#/b>Boats</a><li><a href=#>Piers</a></ul>",
        "<body><header><h1>Lamps</h1><p>They are lit at dusk.</p></header><p>Always.",
        "<body class=toc><h1>Lamps</h1><p>They are lit at dusk.",
        f"<div class=related><h2>Other lamps</h2><p>They are lit at dusk. {STORY}</p></div><p>Always.",
        "<div class=noprint><main><p>They are lit at dusk.</main></div>",
        "<h2 id=toc>The list of lamps at dusk</h2><p>All of them.",
        "<div role=tabpanel hidden>Lamps at dusk</div>",
        "<div hidden=until-found>Lamps at dusk</div>",
        "<h2><button>Which lamps are lit at dusk?</button></h2><p>All of them.",
    ],
)
def test_what_only_resembles_a_menu_is_text(read, text):
    assert "at dusk" in read(text)[0]


def test_a_table_of_contents_takes_its_own_heading_with_it_and_no_other(read):
    contents = "<ul><li><a href=#a>Lamps</a><li><a href=#b>Boats</a><li><a href=#c>Piers</a></ul>"
    text = "<h2 id=a>Lamps</h2><p>Red.<h2 id=b>Boats</h2><p>Old.<h2 id=c>Piers</h2><p>Long."
    assert read(f"<h1>Harbour</h1>{contents}{text}")[0] == "# Harbour\n\n## Lamps\n\nRed."
    assert read(f"<h1>Harbour</h1><h2>Contents</h2>{contents}{text}")[0] == "# Harbour\n\n## Lamps\n\nRed."
    assert read(f"<h2>Harbour</h2>{contents}{text.replace('h2', 'h3')}")[0] == "## Harbour\n\n### Lamps\n\nRed."


@pytest.mark.parametrize(
    "page", ["<h1>Lamps</h1><article>{0}</article>", "<p>Beta</p><div><h1>Lamps</h1></div><main>{0}</main>"]
)
def test_the_title_of_a_page_above_its_main_part_is_text(read, page):
    assert read(page.format(f"<p>{STORY}")) == [f"# Lamps\n\n{STORY.strip()}"]


def test_paragraphs_and_items_that_are_repeated_stay_apart(read):
    assert read("<p>Red.</p><p>Red.</p><ul><li>old<li>old</ul>") == ["Red.\n\nRed.\n\n- old\n- old"]


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


def test_pictures_in_cells_are_described_and_comments_are_not_text(read):
    (text,) = read("<table><tr><th>Pier<th>Lit<tr><td>North<td><img src=a.png alt=yes><!-- dusk --></table>")
    assert text.splitlines()[-1] == "| North | yes |"


@pytest.mark.parametrize(
    "table",
    [
        "<table><caption>The lamps</caption><tr><td></td></tr></table>",
        "<table>The lamps<tr><td>red<td>old</table>",
        "<table><caption>The lamps</caption><tr><td>red<td>old</table>",
    ],
)
def test_text_of_a_table_outside_its_cells_stands_above_it(read, table):
    assert read(table)[0].split("\n\n")[0] == "The lamps"


@pytest.mark.parametrize("spanned", ["", "<td></td>"])
def test_a_row_without_text_counts_for_the_cells_that_span_it(read, spanned):
    first, last = "<td rowspan=2>North</td><td rowspan=2>red</td>", "<td>South</td><td>7</td>"
    table = f"<table><tr>{first}</tr><tr>{spanned}</tr><tr>{last}</tr></table>"
    assert read(table) == ["| North | red |\n| South | 7 |"]


def test_a_short_row_leaves_cells_from_above_in_their_columns(read):
    (text,) = read("<table><tr><td>North<td>red<td rowspan=2>9<tr><td>South</table>")
    assert text.splitlines() == ["| North | red | 9 |", "| South |  | 9 |"]


def test_repeated_cells_do_not_make_a_page_grow_without_bounds(read):
    rows = "<tr><td>1" * 1000
    passages = read(f"<table><tr><td rowspan=9999>{'lamp ' * 1000}<td>0{rows}</table>")
    assert sum(map(len, passages)) < 200_000


def test_the_cells_of_a_row_stay_together_in_a_table_with_headings(read):
    (text,) = read("<table><tr><td colspan=2><h2>Lamps</h2><tr><td>red</td><td>north pier</td></tr></table>")
    assert text == "## Lamps\n\n| red | north pier |"


def test_code_in_two_languages_is_two_blocks(read):
    (text,) = read("<pre><code class=language-js>lamp.on()</code><code class=language-python>lamp.on</code></pre>")
    assert text == "```js\nlamp.on()\n```\n\n```python\nlamp.on\n```"


@pytest.mark.parametrize("between", ["\n", "\nand\n"])
def test_lines_of_code_in_elements_of_their_own_are_one_block(read, between):
    assert read(f"<pre><code>on()</code>{between}<code>off()</code></pre>") == [f"```\non(){between}off()\n```"]


def test_the_name_of_a_picture_s_file_is_not_text_and_its_description_is(read):
    (text,) = read('<p>North <img src=a.png alt="images/lamp 1.PNG"> and <img src=b.png alt="a red lamp"></p>')
    assert text == "North and a red lamp"
