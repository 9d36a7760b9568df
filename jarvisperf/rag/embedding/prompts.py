"""Finds the prompts that a model expects before a query and before a document, in its own configuration.

Models such as e5, bge, nomic and Qwen embed a text well only after the prompt of its role. Their files name these
prompts in ``config_sentence_transformers.json``, but not all by the same names. sentence-transformers itself adds an
empty ``document`` to them, which it finds before ``passage``, so documents would be embedded without their prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The names in use: those of sentence-transformers' documentation, and those of nomic, jina, stella and bge.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "query": ("query", "search_query", "retrieval.query", "s2p_query", "web_search_query"),
    "document": ("document", "passage", "corpus", "search_document", "retrieval.passage"),
}


def prompts_of_roles(named: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the prompt of a query and that of a document; an empty one for none.

    Args:
        named: The prompts in the model's configuration, by name.
        given: The caller's prompts by role, which take precedence, even if empty.
    """
    return {
        role: (given or {}).get(role, next((named[name] for name in names if named.get(name)), ""))
        for role, names in _NAMES.items()
    }


def are_found_by_sentence_transformers(
    roles: Mapping[str, str], named: Mapping[str, str], given: Mapping[str, str] | None
) -> bool:
    """Return whether sentence-transformers by itself would use the same prompts."""
    return all(prompt == (given or {}).get(role, named.get(role, "")) for role, prompt in roles.items())
