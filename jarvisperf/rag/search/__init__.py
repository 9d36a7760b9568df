"""Computes the answers to searches.

Other rooms use ``request``, what a search asks for; ``retriever.Retriever``, which computes the answer;
``footprint.survives``, whether an answer is valid after writes; ``keywords.KeywordIndex``; and ``context``.
"""
