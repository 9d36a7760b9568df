"""Tests that tenants of one process learn nothing of each other, with a collection each or a filter in each call."""

from __future__ import annotations

import pytest

TEXTS = ["the price is {} euros", "the password of the safe is {}", "the meeting is on {}"]
COMMON = "opening hours are nine to five"
QUERIES = ["price in euros", "password of the safe", "meeting", "opening hours", "beta secret 1 beta"]
TENANTS = ["alpha", "beta"]


def secret(tenant, number):
    return TEXTS[number].format(f"{tenant}-secret-{number}")


def knows_of(answers, tenant):
    return f"{tenant}-secret" in repr(answers)


class ByCollection:
    """One collection for each tenant."""

    def __init__(self, make_rag, **where):
        self.rags = {tenant: make_rag(collection=f"tenant-{tenant}", **where) for tenant in TENANTS}

    def add(self, tenant, texts):
        self.rags[tenant].batch_add_texts(texts)

    def ask(self, tenant, method, query, **options):
        return getattr(self.rags[tenant], method)(query, **options)

    def delete(self, tenant):
        return self.rags[tenant].delete(ids=[passage.id for passage in self.rags[tenant].get()])


class ByFilter:
    """One collection, and a filter in every call."""

    def __init__(self, make_rag, **where):
        self.rag = make_rag(**where)

    def add(self, tenant, texts):
        self.rag.batch_add_texts(texts, metadatas=[{"tenant": tenant}] * len(texts))

    def ask(self, tenant, method, query, **options):
        return getattr(self.rag, method)(query, where={"tenant": tenant}, **options)

    def delete(self, tenant):
        return self.rag.delete(where={"tenant": tenant})


@pytest.fixture(params=[ByCollection, ByFilter], ids=["by collection", "by filter"])
def tenants(request, make_rag, require):
    require("bm25s")
    tenants = request.param(make_rag)
    for number in range(len(TEXTS)):  # interleaved, so that writes of one lie between answers to the other
        for tenant in TENANTS:
            tenants.add(tenant, [secret(tenant, number), COMMON])
    return tenants


def everything_asked(tenants, tenant):
    """Every kind of question, each of them twice: computed, and from the cache."""
    return [
        tenants.ask(tenant, method, query, n_results=n_results, **options)
        for query in QUERIES
        for n_results in (1, 50)
        for options in ({}, {"hybrid": True}, {"diversity": 0.5}, {"min_score": 0.01})
        for method in ("search", "search_cached", "search_cached", "generate_context", "generate_context_cached")
    ]


def test_no_answer_contains_anything_of_another_tenant(tenants):
    for tenant, other in (TENANTS, reversed(TENANTS)):
        answers = everything_asked(tenants, tenant)
        assert knows_of(answers, tenant)
        assert not knows_of(answers, other)


def test_words_of_another_tenant_find_nothing(tenants):
    found = tenants.ask("alpha", "search", "beta secret", n_results=50, hybrid=True)
    assert not knows_of(found, "beta")
    assert len(found) == len(TEXTS) + 1


def test_a_text_that_both_have_is_each_ones_own(tenants):
    found = {
        tenant: [one for one in tenants.ask(tenant, "search", COMMON, n_results=50) if one.text == COMMON]
        for tenant in TENANTS
    }
    assert [len(found[tenant]) for tenant in TENANTS] == [1, 1]
    assert tenants.delete("alpha") == len(TEXTS) + 1
    assert [one.text for one in tenants.ask("beta", "search_cached", COMMON, n_results=1)] == [COMMON]
    assert tenants.ask("alpha", "search_cached", COMMON) == []
    assert tenants.ask("alpha", "generate_context_cached", COMMON) == ""


def test_a_paraphrase_is_not_answered_from_another_tenants_answer(make_rag, embedder):
    tenants = ByFilter(make_rag, semantic_threshold=0.5)
    for tenant in TENANTS:
        tenants.add(tenant, [secret(tenant, 0)])
    assert knows_of(tenants.ask("beta", "search_cached", "the price in euros"), "beta")
    assert not knows_of(tenants.ask("alpha", "search_cached", "price in euros"), "beta")
