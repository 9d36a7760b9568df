"""Cached answers, and the proof that they are still valid.

Other packages use ``query_cache.QueryCache``, which caches answers; ``kinds``, the kinds of answers;
``changes.ChangeLog``, which records changes; and ``paraphrases.SemanticTier``, which recognises paraphrased questions.
"""
