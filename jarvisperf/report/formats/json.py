"""`report.json`: the findings for programs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.report.findings.model import SCHEMA, Findings, paired
from jarvisperf.report.shared.report import ReportFormat
from jarvisperf.runs.files import decode_json
from jarvisperf.runs.names import utc_time

if TYPE_CHECKING:
    from jarvisperf.report.shared.report import Report

FILE = "report.json"


def encode_findings(findings: Findings) -> bytes:
    """Encode findings as JSON in UTF-8, indented with one key per line, so that two reports can be compared by eye."""
    return msgspec.json.format(msgspec.json.encode(findings), indent=1) + b"\n"


def decode_findings(data: bytes) -> Findings:
    """Decode the output of `encode_findings`.

    Raises:
        msgspec.DecodeError: The data is not a report of this schema.
    """
    findings = decode_json(data, Findings)
    if findings.schema != SCHEMA:
        raise msgspec.ValidationError(
            f"the report has schema {findings.schema!r}; this version of jarvisperf reads {SCHEMA!r}"
        )
    try:
        utc_time(findings.created)
    except ValueError as error:
        raise msgspec.ValidationError(f"{error} - at `$.created`") from None
    # Reports from before November 2026 have the ratio of a pair, but not its figures.
    return findings if any(one.before and one.before.metrics for one in findings.benchmarks) else paired(findings)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `report.json`, the same on every version of Python."""
    schema = msgspec.json.schema(Findings)
    for definition in schema["$defs"].values():
        # Python 3.13 strips the indentation of docstrings itself.
        definition["description"] = inspect.cleandoc(definition["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **schema}


def render(report: Report) -> dict[str, bytes]:
    """Render `report.json`."""
    return {FILE: encode_findings(report.findings)}


FORMAT = ReportFormat("json", (FILE,), render)
