"""Cached answers, and the proof that they are still valid.

Other rooms use ``query_cache.QueryCache``, which keeps answers; ``changes.ChangeLog``, which records changes;
and ``paraphrases.SemanticTier``, which recognises questions in other words.
"""
