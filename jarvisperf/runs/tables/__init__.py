"""Runs as tables for SQL: their rows, the Parquet objects that hold many of them, and DuckDB over both."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Tables", "compact", "first_line", "group_of", "list_parts", "yardstick_seconds"]

if TYPE_CHECKING:
    from jarvisperf.runs.tables.compaction import compact
    from jarvisperf.runs.tables.database import Tables, first_line
    from jarvisperf.runs.tables.parts import group_of, list_parts
    from jarvisperf.runs.tables.rows import yardstick_seconds
else:
    _HOMES = {"Tables": "database", "first_line": "database", "compact": "compaction", "yardstick_seconds": "rows"}
    __getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{_HOMES.get(name, 'parts')}" for name in __all__})
