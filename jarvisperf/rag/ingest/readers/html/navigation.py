"""Removes from a web page what nobody reads: scripts, menus, tables of contents, permalinks, parts hidden on paper."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_UNSEEN: Final = ("head", "script", "style", "template", "noscript", "svg", "iframe", "object", "select")
# What another tab shows, or a search within the page, can be read.
_HIDDEN: Final = "[hidden]:not([role=tabpanel], [hidden=until-found]), [aria-hidden=true]:not([role=tabpanel])"
_NAVIGATION: Final = "nav, [role=navigation], [role=search], [role=contentinfo], body > footer"
# Not removed where they hold the page itself.
_AROUND: Final = (
    "[role=banner], body > header, .skip-link, .breadcrumb, .breadcrumbs,"
    " .noprint, .no-print, .d-print-none, .hidden-print,"
    " .sphinxsidebar, .headerlink, .linenos, .lineno, .md-sidebar,"
    " .navheader, .navfooter,"  # DocBook, gtk-doc
    " .nav-panel, .header > p:has(> a[rel=up]),"  # Texinfo
    " div#titlearea, div#main-nav, div#nav-path, .header > .summary:has(> a[href^='#']),"  # Doxygen
    " .topNav, .bottomNav, .subNav,"  # Javadoc
    " .mw-editsection, .mw-jump-link, .mw-portlet, .mw-indicators, .interlanguage-link, [class*=navbox], .catlinks"
)
# Names that articles use as well: not removed if they hold more than links.
_LINKS: Final = ".toc, #toc, .related, table.nav, table.navigation"
_MAIN: Final = "main, [role=main], article"
_PERMALINK: Final = re.compile(r"^\s*[¶#§🔗\uf0c1]?\s*$")
_HEADINGS: Final = tuple(f"h{level}" for level in range(1, 7))
_FEWEST_IN_CONTENTS: Final = 3
_MOST_WRAPPERS: Final = 3
_SENTENCE: Final = 100  # characters: more than the labels of a menu


def remove_navigation(soup: Any) -> None:
    """Remove from a parsed page what is not its text."""
    places = {
        str(tag[name]).removeprefix("user-content-") for name in ("id", "name") for tag in soup.select(f"[{name}]")
    }
    titles = {id(title) for title in soup("h1") if _has_text(title)}
    unseen = [*soup(list(_UNSEEN)), *filter(_is_control, soup("button")), *soup.select(f"{_HIDDEN}, {_NAVIGATION}")]
    around = [tag for tag in soup.select(_AROUND) if not _holds_page(tag, titles)]
    links = [tag for tag in soup.select(_LINKS) if not (_holds_page(tag, titles) or _says_something(tag))]
    for tag in (*unseen, *around, *links):
        tag.decompose()
    for tag in soup.select("h1 a, h2 a, h3 a, h4 a, h5 a, h6 a, dt a"):
        if _PERMALINK.match("".join(tag.strings)) and tag.find("img") is None:
            tag.decompose()
    for contents in [tally.node for tally in _lists(soup) if tally.is_contents(places)]:
        _remove_with_heading(contents)


def _is_control(button: Any) -> bool:
    """Return whether a button does something; one that is all of a heading opens the section below it."""
    heading = button.find_parent([*_HEADINGS, "dt"])
    return heading is None or "".join(heading.stripped_strings) != "".join(button.stripped_strings)


def _holds_page(tag: Any, titles: AbstractSet[int]) -> bool:
    """Return whether an element holds the main part of the page, or all of its titles."""
    if tag.name in {"html", "body"} or tag.select_one(_MAIN) is not None:
        return True
    return bool(titles) and titles <= {id(title) for title in tag("h1")}


def _says_something(tag: Any) -> bool:
    """Return whether most of an element's text is not in links."""
    if tag.name in _HEADINGS:
        return True
    whole, in_links = (sum(map(len, part)) for part in (tag.stripped_strings, _strings_in_links(tag)))
    return whole - in_links > max(in_links, _SENTENCE)


def _strings_in_links(tag: Any) -> Iterator[str]:
    return itertools.chain.from_iterable(link.stripped_strings for link in tag("a"))


@dataclass
class _Tally:
    """How much of the text of a list leads to other places of the page."""

    node: Any
    targets: list[str] = field(default_factory=list)
    characters: int = 0
    in_links: int = 0

    def is_contents(self, places: AbstractSet[str]) -> bool:
        """Return whether the list says nothing else than what stands at these places of the page."""
        return (
            len(self.targets) >= _FEWEST_IN_CONTENTS
            and self.in_links == self.characters
            and all(target in places for target in self.targets)
        )


def _lists(soup: Any) -> Iterator[_Tally]:
    """Yield the lists that are not part of other lists, in one walk through the page."""
    from bs4.element import NavigableString, PreformattedString, Tag

    tallies: list[_Tally] = []
    stack: list[tuple[Any, _Tally | None, bool]] = [(soup, None, False)]
    while stack:
        node, tally, in_link = stack.pop()
        if isinstance(node, Tag):
            if tally is None and node.name in {"ul", "ol"}:
                tally = _Tally(node)
                tallies.append(tally)
            address = str(node.get("href") or "") if node.name == "a" else ""
            if tally is not None and address.startswith("#"):
                in_link = True
                tally.targets.append(unquote(address[1:]))
            stack += [(child, tally, in_link) for child in node.contents]
        elif tally is not None and isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            characters = len(node.strip())
            tally.characters += characters
            tally.in_links += characters if in_link else 0
    yield from tallies


def _remove_with_heading(contents: Any) -> None:
    """Remove a table of contents, what contains nothing else, and a heading above it that nothing else follows."""
    whole = contents
    for _ in range(_MOST_WRAPPERS):
        siblings = itertools.chain(whole.next_siblings, whole.previous_siblings)
        if whole.parent.parent is None or any(map(_has_text, siblings)):
            break
        whole = whole.parent
    above: Any = next(filter(_has_text, whole.previous_siblings), None)
    below: Any = next(filter(_has_text, whole.next_siblings), None)
    if above is not None and above.name in _HEADINGS[1:] and (below is None or _is_no_part(below, above)):
        above.decompose()
    whole.decompose()


def _is_no_part(below: Any, heading: Any) -> bool:
    """Return whether what follows is a heading that is not below this one."""
    return below.name in _HEADINGS and _HEADINGS.index(below.name) <= _HEADINGS.index(heading.name)


def _has_text(node: Any) -> bool:
    from bs4.element import NavigableString, PreformattedString

    if isinstance(node, NavigableString):
        return not isinstance(node, PreformattedString) and bool(node.strip())
    if next(iter(node.stripped_strings), None) is not None:
        return True
    return any(picture.get("alt") for picture in ([node] if node.name == "img" else node("img")))
