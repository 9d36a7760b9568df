"""Adds texts and files to the store.

Other rooms use ``ingestor.Ingestor``; and ``files.SUFFIXES`` and ``files.read_passages``: which files can be read, and
how they are split.
"""
