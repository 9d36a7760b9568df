"""Computes the answers to searches.

Other packages use ``request``, the arguments of a search; ``retriever.Retriever``, which computes the answer;
``footprint.survives``, which tells whether an answer is still valid after writes; ``keywords.KeywordIndex``; and
``context``.
"""
