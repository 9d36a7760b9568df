"""A bucket, a server, or whatever else fsspec reaches, as a place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from jarvisperf.extras import MissingExtraError, require
from jarvisperf.runs.backends.place import RunStoreError, one_line, without_password
from jarvisperf.runs.backends.s3_keys import s3_keys

if TYPE_CHECKING:
    from collections.abc import Callable

# Schemes whose first part is a bucket: it must exist, and what looks like folders in it need not.
BUCKET_SCHEMES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"})
S3_SCHEMES = frozenset({"s3", "s3a"})

_Result = TypeVar("_Result")


class FsspecPlace:
    """A place that fsspec reaches.

    Args:
        url: The place's top.

    Raises:
        RunStoreError: The URL has no scheme or no folder, its scheme is unknown, or a package for it is missing.
    """

    readers = 32

    def __init__(self, url: str) -> None:
        self.shown = without_password(url)
        try:
            require("store", f"the store {self.shown}")
        except MissingExtraError as error:
            raise RunStoreError(str(error)) from None
        import fsspec  # only if needed, so that importing the package stays cheap

        self._files: Any
        scheme = url.partition("://")[0]
        try:
            # s3fs would ask for the size of each object before reading it, to read large ones in pieces at once.
            options = {"max_concurrency": 1} if scheme in S3_SCHEMES else {}
            self._files, top = fsspec.core.url_to_fs(url, **options)
        except ImportError as error:
            raise RunStoreError(f"{self.shown} needs a package that is not installed: {one_line(error)}") from error
        except Exception as error:  # each file system raises its own errors for a wrong URL
            raise RunStoreError(f"{self.shown} cannot be opened: {one_line(error)}") from error
        self._top = str(top).rstrip("/")
        self._is_s3 = scheme in S3_SCHEMES
        self._bucket = self._bucket_of(self._top) if scheme in BUCKET_SCHEMES else None
        if self._bucket == "":
            raise RunStoreError(f"{self.shown} names no bucket: give a URL like {scheme}://bucket/folder")

    def exists(self) -> bool:
        """Return whether there is such a folder, or an object under this prefix of a bucket.

        Raises:
            RunStoreError: The place cannot be reached.
        """
        return bool(self._tried("reached", lambda: self._files.exists(self._top)))

    def paths(self, folder: str) -> list[str]:
        """Return the paths of all objects below a folder.

        Raises:
            RunStoreError: The place cannot be reached or listed, or the bucket does not exist.
        """
        try:
            found = self._tried("listed", lambda: self._find(folder))
        except FileNotFoundError:
            found = []
        if not found and self._bucket and not self._tried("listed", lambda: self._files.exists(self._bucket)):
            raise RunStoreError(f"{self.shown} cannot be listed: the bucket {self._bucket!r} does not exist")
        prefix = f"{self._top}/".lstrip("/")  # some file systems start with a slash, some do not
        paths = (path.lstrip("/").removeprefix(prefix) for path in found)
        return [path for path in paths if path.startswith(f"{folder}/")]

    def read(self, path: str) -> bytes:
        """Read an object.

        Raises:
            FileNotFoundError: It does not exist.
            RunStoreError: It cannot be reached or read.
        """
        return bytes(self._tried("read", lambda: self._files.cat_file(f"{self._top}/{path}")))

    def write(self, path: str, data: bytes) -> None:
        """Write an object in one go.

        Raises:
            RunStoreError: It cannot be reached or written.
        """
        target = f"{self._top}/{path}"

        def put() -> None:
            try:
                self._files.pipe_file(target, data)
            except FileNotFoundError:
                if self._bucket:  # it does not exist, and must not come into being by a mistyped name
                    raise
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.pipe_file(target, data)

        try:
            self._tried("written", put)
        except FileNotFoundError as error:  # the bucket itself
            raise RunStoreError(f"{self.shown} cannot be written: {one_line(error)}") from error

    def delete(self, path: str) -> None:
        """Delete an object; a missing one is not an error.

        Raises:
            RunStoreError: It cannot be reached or changed.
        """
        try:
            self._tried("changed", lambda: self._files.rm_file(f"{self._top}/{path}"))
        except FileNotFoundError:
            return

    def _bucket_of(self, path: str) -> str:
        # The name of an access point of S3 contains a slash: `arn:aws:s3:us-east-1:123456789012:accesspoint/team`.
        return str(self._files.split_path(path)[0] if self._is_s3 else path.partition("/")[0])

    def _find(self, folder: str) -> list[str]:
        place = f"{self._top}/{folder}"
        if self._is_s3:
            bucket, key, _ = self._files.split_path(place)
            # Some servers know no delimiter but the slash, some policies allow no other. Other errors come again below.
            with contextlib.suppress(OSError):
                return [f"{bucket}/{one}" for one in s3_keys(self._files, bucket, f"{key}/")]
        # Other machines write to it, too. What is known of other folders saves a request for each object there.
        self._files.invalidate_cache(place)
        return list(self._files.find(place))

    def _tried(self, what: str, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except FileNotFoundError:
            raise
        except Exception as error:  # connection, permissions, sign-in: each file system has its own errors
            raise RunStoreError(f"{self.shown} cannot be {what}: {one_line(error)}") from error
