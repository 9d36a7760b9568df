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

_UNSEEN: Final = ["head", "script", "style", "template", "noscript", "svg", "iframe", "object", "select"]
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
    for tag in (*soup(_UNSEEN), *soup.select(f"{_HIDDEN}, {_NAVIGATION}")):
        tag.decompose()
    keeps = _holders_of_page(soup) | {id(button) for button in _buttons_that_are_headings(soup)}
    around = (*soup("button"), *soup.select(_AROUND), *filter(_says_little, soup.select(_LINKS)))
    for tag in [tag for tag in around if id(tag) not in keeps]:
        tag.decompose()
    for tag in soup.select("h1 a, h2 a, h3 a, h4 a, h5 a, h6 a, dt a"):
        if _PERMALINK.match("".join(tag.strings)) and tag.find("img") is None:
            tag.decompose()
    for part in [part for tally in _lists(soup) if tally.is_contents(places) for part in _with_heading(tally.node)]:
        part.decompose()


def _holders_of_page(soup: Any) -> set[int]:
    """Return the identities of the elements that hold a main part of the page, all its titles, or all its articles."""
    holders = {id(part) for part in soup(["html", "body"])}
    holders.update(id(part) for main in soup.select("main, [role=main]") for part in (main, *main.parents))
    for parts in (filter(_has_text, soup("h1")), soup("article")):
        around = [{id(part) for part in (one, *one.parents)} for one in parts]
        holders.update(*([set.intersection(*around)] if around else []))
    return holders


def _buttons_that_are_headings(soup: Any) -> Iterator[Any]:
    """Yield the buttons that are all of a heading: they open the section below it."""
    for heading in soup([*_HEADINGS, "dt"]):
        buttons = heading("button")
        if buttons and "".join(heading.stripped_strings) == "".join(
            part for one in buttons for part in one.stripped_strings
        ):
            yield from buttons


def _says_little(tag: Any) -> bool:
    """Return whether an element has little text besides links; a heading may be called anything."""
    whole, in_links = (sum(map(len, part)) for part in (tag.stripped_strings, _strings_in_links(tag)))
    return tag.name not in _HEADINGS and whole - in_links <= max(in_links, _SENTENCE)


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


def _with_heading(contents: Any) -> Iterator[Any]:
    """Yield a table of contents, with what contains nothing else, and a heading above it that nothing else follows."""
    whole = contents
    for _ in range(_MOST_WRAPPERS):
        siblings = itertools.chain(whole.next_siblings, whole.previous_siblings)
        if whole.parent.parent is None or any(map(_has_text, siblings)):
            break
        whole = whole.parent
    above: Any = next(filter(_has_text, whole.previous_siblings), None)
    below: Any = next(filter(_has_text, whole.next_siblings), None)
    if above is not None and above.name in _HEADINGS[1:] and (below is None or _is_no_part(below, above)):
        yield above
    yield whole


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
