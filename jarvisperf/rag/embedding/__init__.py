"""Turns texts into vectors.

Other packages use ``protocol.Embedder`` and ``protocol.embedder_for``; ``options.ModelOptions``, which sets how a model
runs; ``sentence_transformer.SentenceTransformerEmbedder``; and ``cache.EmbeddingCache``, which caches vectors by
content.
"""
