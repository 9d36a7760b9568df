"""Reports: one file per format, all rendered from the same findings."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["ForeignFileError", "Report", "ReportFolderError", "ReportFormat", "UnwrittenError"]
__all__ += ["builtin_formats", "check_report_folder", "choose_formats", "write_reports"]

if TYPE_CHECKING:
    from jarvisperf.report.format_list import builtin_formats, choose_formats
    from jarvisperf.report.shared.report import Report, ReportFormat
    from jarvisperf.report.writing import (
        ForeignFileError,
        ReportFolderError,
        UnwrittenError,
        check_report_folder,
        write_reports,
    )
else:
    _HOMES = dict.fromkeys(("Report", "ReportFormat"), "shared.report")
    _HOMES |= dict.fromkeys(("builtin_formats", "choose_formats"), "format_list")
    __getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{_HOMES.get(name, 'writing')}" for name in __all__})
