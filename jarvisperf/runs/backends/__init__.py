"""Places that hold objects: a folder, or anything that fsspec reaches. Whole objects only."""

from jarvisperf.runs.backends.folder import OWN_FOLDER, FolderPlace
from jarvisperf.runs.backends.fsspec_place import FsspecPlace
from jarvisperf.runs.backends.listed_once import ListedOnce
from jarvisperf.runs.backends.opening import open_place
from jarvisperf.runs.backends.parallel import read_each
from jarvisperf.runs.backends.place import Place, RunStoreError, without_password

__all__ = ["OWN_FOLDER", "FolderPlace", "FsspecPlace", "ListedOnce", "Place", "RunStoreError"]
__all__ += ["open_place", "read_each", "without_password"]
