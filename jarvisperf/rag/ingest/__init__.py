"""Adds texts and files to the store.

Other packages use ``ingestor.Ingestor``; ``files.SUFFIXES``, the supported file types; and ``files.read_document``,
which reads and splits a file.
"""
