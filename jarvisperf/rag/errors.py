"""The errors that retrieval raises."""

from __future__ import annotations

from jarvisperf.extras import not_installed


class RagError(Exception):
    """Base of the errors that this package defines."""


class MissingPackageError(RagError, ImportError):
    """A package from an extra, such as ``jarvisperf[rag]``, is not installed."""


class ModelNotFoundError(RagError):
    """No embedding model is available; the message lists what was tried and what to do."""


class StoreError(RagError):
    """The document store cannot be opened, or rejects the data."""


class StoreInUseError(StoreError):
    """Another process has the embedded store open, so it cannot be written to."""


class DimensionError(StoreError):
    """The vectors do not have the dimension of those that are stored."""


class DocumentError(RagError, ValueError):
    """A file cannot be read as a document."""


def missing_package(package: str, extra: str = "rag") -> MissingPackageError:
    """Return the error for a package that is not installed, with the extra that installs it."""
    return MissingPackageError(not_installed(package, extra))
