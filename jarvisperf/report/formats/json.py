"""`report.json`: the findings as they are, for programs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.report.findings.model import SCHEMA, Findings
from jarvisperf.report.formats.base import Report
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path


class JsonReport(Report):
    """Writes `report.json`."""

    files = ("report.json",)

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `report.json`, indented, a key a line, so that two of them can be compared by eye."""
        path = folder / "report.json"
        write_whole(path, encode_findings(findings))
        return [path]


def encode_findings(findings: Findings) -> bytes:
    """Encode findings as JSON text in UTF-8."""
    return msgspec.json.format(msgspec.json.encode(findings), indent=1) + b"\n"


def decode_findings(data: bytes) -> Findings:
    """Decode what `encode_findings` made.

    Raises:
        msgspec.DecodeError: It is not a report of this schema.
    """
    findings = msgspec.json.decode(data, type=Findings)
    if findings.schema != SCHEMA:
        raise msgspec.ValidationError(f"the report has schema {findings.schema!r}, this version reads {SCHEMA!r}")
    return findings


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of `report.json`; every version of Python gives the same."""
    schema = msgspec.json.schema(Findings)
    for definition in schema["$defs"].values():
        # From Python 3.13 on, docstrings have lost their indentation already.
        definition["description"] = inspect.cleandoc(definition["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **schema}
