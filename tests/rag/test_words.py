"""Tests which words keyword search finds in texts of many scripts."""

from __future__ import annotations

import pytest

from jarvisperf.rag.search.words import words_of_passage, words_of_query


def finds(query, passage):
    words = words_of_query(query)
    return bool(words) and set(words) <= set(words_of_passage(passage))


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("cafe", "Caf\u00e9"),
        ("caf\u00e9", "CAFE\u0301"),
        ("avo", "AVÔ"),
        ("strasse", "Straße"),
        ("file", "ﬁle"),
        ("A1", "\uff21\uff11"),
        ("ανθρωπος", "ΆΝΘΡΩΠΟΣ"),
        ("елка", "ёлка"),
        ("istanbul", "İstanbul"),
        ("كتاب", "كِتَابٌ"),
        ("שלום", "שָׁלוֹם"),
        ("हिन्दी", "यह हिन्दी है।"),
        ("数据库备份", "然后恢复数据库备份。"),
        ("備", "備份"),
        ("国際会議場", "京都の国際会議場は駅から北へ"),
        ("ガイド", "京都ｶﾞｲﾄﾞ"),
        ("サーバー", "サーバーを停止"),
        ("도서관", "도서관에서 책을"),
        ("ภาษา", "ฉันเรียนภาษาไทย"),
        ("snake_case", "call snake_case()"),
        ("GPU", "使用GPU加速"),
    ],
)
def test_a_word_is_found_whatever_its_script_case_and_accents(query, passage):
    assert finds(query, passage)


@pytest.mark.parametrize(
    ("query", "passage"),
    [("か", "が"), ("カイ", "ガイ"), ("की", "का"), ("数备", "数据库备份"), ("car", "scar"), ("!?", "!?")],
)
def test_what_is_another_word_is_not_found(query, passage):
    assert not finds(query, passage)


def test_hybrid_search_finds_a_chinese_term(make_rag):
    rag = make_rag()
    texts = {"backup": "系统管理员应当先停止服务。然后恢复数据库备份。"}
    texts |= {f"other{number}": f"今天天气很好我们去第{number}号公园散步" for number in range(30)}
    rag.batch_add_texts(list(texts.values()), ids=list(texts))
    assert "backup" in [found.id for found in rag.search("数据库备份", 2, hybrid=True)]
