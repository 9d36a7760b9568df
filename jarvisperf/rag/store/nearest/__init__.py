"""Finds the passages nearest to a vector: in memory, by Chroma's index, or by comparing with every stored vector."""
