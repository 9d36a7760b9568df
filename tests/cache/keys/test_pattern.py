"""Tests key patterns: wildcards match, and everything else is literal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache.keys.pattern import EVERY_KEY, KeyPattern, common_head, matches_any


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*", ["a", "", "a\nb"], []),
        ("user:*", ["user:", "user:1", "user:1:x"], ["users:1", "User:1", "xuser:1"]),
        ("a?c", ["abc", "a?c", "a\nc"], ["ac", "abbc"]),
        ("[ab]1", ["a1", "b1"], ["c1", "ab1"]),
        ("[a-c]", ["b"], ["d", "-"]),
        ("[!a]", ["b"], ["a", ""]),
        ("[^a]", ["^", "a"], ["b"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a+(b)|c$", ["a+(b)|c$"], ["aab"]),
        ("a\\*", ["a\\", "a\\x"], ["a*"]),
        ("[a", ["[a"], ["a"]),
        ("a]", ["a]"], ["a"]),
        ("[*]", ["*"], ["a"]),
        ("é*", ["éa"], ["ea"]),
    ],
)
def test_what_a_pattern_matches(pattern, matching, others):
    matches = KeyPattern(pattern).matches
    assert [key for key in [*matching, *others] if matches(key)] == matching


@given(st.text(st.characters(exclude_characters="*?["), min_size=1), st.text())
def test_a_pattern_without_wildcards_matches_itself_only(text, other):
    pattern = KeyPattern(text)
    assert pattern.is_literal
    assert pattern.head == text
    assert pattern.matches(text)
    assert pattern.matches(other) == (other == text)


@given(st.text("ab*?[]!-", min_size=1), st.text("ab*?[]!-"))
def test_every_match_starts_with_the_head(text, key):
    pattern = KeyPattern(text)
    assert not pattern.matches(key) or key.startswith(pattern.head)


@given(st.text())
def test_every_key_matches_every_key(key):
    assert EVERY_KEY.matches(key)


PIECES = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "|", ")"]), min_size=1, max_size=4).map("".join)


@given(st.lists(PIECES, min_size=1, max_size=4), st.text("ab|)", max_size=5))
def test_several_patterns_match_what_one_of_them_matches(texts, key):
    patterns = [KeyPattern(text) for text in texts]
    assert matches_any(patterns)(key) == any(pattern.matches(key) for pattern in patterns)
    assert all(pattern.head.startswith(common_head(patterns)) for pattern in patterns)


@pytest.mark.parametrize(
    ("texts", "head"),
    [(["user:1:*", "user:12", "user:*"], "user:"), (["a*", "b*"], ""), (["ab", "a*"], "a"), (["k?"], "k")],
)
def test_several_patterns_have_a_common_head(texts, head):
    assert common_head([KeyPattern(text) for text in texts]) == head
