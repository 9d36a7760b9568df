"""Turns texts into vectors.

Other rooms use ``protocol.Embedder`` and ``protocol.embedder_for``; ``options.ModelOptions``, how a model is run;
``sentence_transformer.SentenceTransformerEmbedder``; and ``cache.EmbeddingCache``, which keeps vectors by content.
"""
