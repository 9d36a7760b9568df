"""Removes from a web page what nobody reads: scripts, menus, tables of contents, permalinks, parts hidden on paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNSEEN: Final = ("head", "script", "style", "template", "noscript", "svg", "iframe", "object", "select", "button")
_NAVIGATION: Final = (
    "nav, [role=navigation], [role=search], [role=banner], [role=contentinfo], [hidden], [aria-hidden=true],"
    " body > header, body > footer, .skip-link, .breadcrumb, .breadcrumbs, .toc, #toc,"
    " .noprint, .no-print, .d-print-none, .hidden-print,"
    " .sphinxsidebar, .related, .headerlink, .linenos, .lineno, .md-sidebar,"
    " .navheader, .navfooter, table.nav, table.navigation,"  # DocBook, gtk-doc
    " .nav-panel, .header > p:has(> a[rel=up]),"  # Texinfo
    " #titlearea, #main-nav, #nav-path, .header > .summary,"  # Doxygen
    " .topNav, .bottomNav, .subNav,"  # Javadoc
    " .mw-editsection, .mw-jump-link, .mw-portlet, .mw-indicators, .interlanguage-link, [class*=navbox], .catlinks"
)
_PERMALINK: Final = re.compile(r"^\s*[¶#§🔗\uf0c1]?\s*$")
_HEADINGS: Final = frozenset(f"h{level}" for level in range(1, 7))
_FEWEST_IN_CONTENTS: Final = 3
_MOST_WRAPPERS: Final = 3


def remove_navigation(soup: Any) -> None:
    """Remove from a parsed page what is not its text."""
    for tag in [*soup(list(_UNSEEN)), *soup.select(_NAVIGATION)]:
        tag.decompose()
    for tag in soup.select("h1 a, h2 a, h3 a, h4 a, h5 a, h6 a, dt a"):
        if _PERMALINK.match("".join(tag.strings)) and tag.find("img") is None:
            tag.decompose()
    for contents in [tally.node for tally in _lists(soup) if tally.is_contents()]:
        _remove_with_heading(contents)


@dataclass
class _Tally:
    """How much of the text of a list leads to other places of the page."""

    node: Any
    links: int = 0
    characters: int = 0
    in_links: int = 0

    def is_contents(self) -> bool:
        return self.links >= _FEWEST_IN_CONTENTS and self.in_links == self.characters


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
            if tally is not None and node.name == "a" and str(node.get("href") or "").startswith("#"):
                in_link = True
                tally.links += 1
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
        siblings = [*whole.previous_siblings, *whole.next_siblings]
        if whole.parent.parent is None or any(map(_has_text, siblings)):
            break
        whole = whole.parent
    above: Any = next(filter(_has_text, whole.previous_siblings), None)
    below: Any = next(filter(_has_text, whole.next_siblings), None)
    if above is not None and above.name in _HEADINGS and (below is None or below.name in _HEADINGS):
        above.decompose()
    whole.decompose()


def _has_text(node: Any) -> bool:
    from bs4.element import NavigableString, PreformattedString

    if isinstance(node, NavigableString):
        return not isinstance(node, PreformattedString) and bool(node.strip())
    return next(iter(node.stripped_strings), None) is not None
