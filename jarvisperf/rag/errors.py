"""What can go wrong in retrieval, as errors for the person who reads them."""

from __future__ import annotations


class RagError(Exception):
    """Base of the errors that this package raises itself."""


class MissingPackageError(RagError, ImportError):
    """A package of an extra, such as ``jarvisperf[rag]``, is not installed."""


class ModelNotFoundError(RagError):
    """No embedding model could be had; the message lists what was tried and what to do."""


class StoreError(RagError):
    """The document store cannot be opened or refuses what it was given."""


class StoreInUseError(StoreError):
    """Another process has the embedded store open, so it cannot be written to."""


class DocumentError(RagError, ValueError):
    """A file cannot be read as a document."""


def missing_package(package: str, extra: str = "rag") -> MissingPackageError:
    """The error to raise where ``package``, which an extra brings, is needed and not installed."""
    return MissingPackageError(f"{package} is not installed: pip install 'jarvisperf[{extra}]'")
