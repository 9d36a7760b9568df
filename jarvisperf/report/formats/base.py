"""The interface that every format of the report has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings


class Report:
    """One format. The default writes nothing, so that a format overrides only what it has.

    Attributes:
        files: The files that it may write, relative to the report's folder.
    """

    files: ClassVar[tuple[str, ...]] = ()

    def write(self, findings: Findings, folder: Path) -> list[Path]:  # noqa: ARG002
        """Write the files of this format.

        Args:
            findings: What to report.
            folder: Where to; it is made if it is not there.

        Returns:
            The files that were written.

        Raises:
            OSError: The folder cannot be made or written.
        """
        return []
