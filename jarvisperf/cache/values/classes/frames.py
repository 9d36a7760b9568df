"""How tables of pandas, polars and Arrow are stored: as an Arrow IPC stream.

A table that the stream cannot restore exactly (an object column of mixed types, a subclass) is not stored.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.cache.values.classes.objects import Form

LIBRARIES: Final = frozenset({"pandas", "polars", "pyarrow"})
_NAMES: Final = (
    "pandas.DataFrame", "pandas.Series", "polars.DataFrame", "polars.Series", "pyarrow.Table", "pyarrow.RecordBatch",
)  # fmt: skip


def class_named(name: str) -> type:
    """Return the class that a name in stored bytes stands for.

    Raises:
        LookupError: No table has this name.
        ImportError: Its library is not installed.
    """
    if name not in _NAMES:
        raise LookupError(name)
    import importlib

    library, _, kind = name.partition(".")
    return getattr(importlib.import_module(library), kind)  # type: ignore[no-any-return]


def form_for(kind: type) -> tuple[str, Form] | None:
    """Return the name and the form of a table's class; None for other classes of these libraries."""
    library = kind.__module__.partition(".")[0]
    name = f"{library}.{kind.__qualname__}"
    if name not in _NAMES or class_named(name) is not kind:
        return None
    forms: dict[str, type[Form]] = {"pandas": _PandasForm, "polars": _PolarsForm, "pyarrow": _ArrowForm}
    return name, forms[library]()


class _StreamForm:
    names: Sequence[str] = ()
    shape = b""


class _ArrowForm(_StreamForm):
    """A pyarrow Table or RecordBatch."""

    def parts(self, value: Any) -> list[Any]:
        return [_stream_of(value)]

    def rebuilt(self, kind: type, parts: list[Any]) -> object:
        import pyarrow as pa

        with pa.ipc.open_stream(parts[0]) as stream:
            return stream.read_all() if kind is pa.Table else stream.read_next_batch()


class _PolarsForm(_StreamForm):
    """A polars DataFrame or Series."""

    def parts(self, value: Any) -> list[Any]:
        import polars as pl

        buffer = io.BytesIO()
        frame = value.to_frame() if isinstance(value, pl.Series) else value
        try:
            frame.rechunk().write_ipc_stream(buffer)
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:  # a column of Python objects
            raise UnencodableError(f"polars {type(value).__name__} that Arrow cannot hold ({error})") from None
        return [buffer.getvalue()]

    def rebuilt(self, kind: type, parts: list[Any]) -> object:
        import polars as pl

        frame = pl.read_ipc_stream(parts[0])
        return frame.to_series() if kind is pl.Series else frame


class _PandasForm(_StreamForm):
    """A pandas DataFrame or Series, with the frequency of its index, which Arrow does not keep."""

    def parts(self, value: Any) -> list[Any]:
        import pandas as pd
        import pyarrow as pa

        frame = value if isinstance(value, pd.DataFrame) else value.to_frame(name="")
        try:
            stream = _stream_of(pa.Table.from_pandas(frame))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise UnencodableError(f"pandas {type(value).__name__} that Arrow cannot hold ({error})") from None
        name = value.name if isinstance(value, pd.Series) else None
        has_frequency = isinstance(value.index, pd.DatetimeIndex | pd.TimedeltaIndex)
        parts = [stream, value.index.freqstr if has_frequency else None, name]
        check = pd.testing.assert_series_equal if isinstance(value, pd.Series) else pd.testing.assert_frame_equal
        try:
            check(self.rebuilt(type(value), parts), value, check_exact=True)
        except AssertionError as error:
            why = str(error).partition("\n")[0]
            raise UnencodableError(f"pandas {type(value).__name__} that comes back as another one ({why})") from None
        if value.attrs:
            parts.append(value.attrs)
        return parts

    def rebuilt(self, kind: type, parts: list[Any]) -> object:
        import pandas as pd
        import pyarrow as pa

        stream, frequency, name, *attributes = parts
        with pa.ipc.open_stream(stream) as reader:
            value = reader.read_all().to_pandas()
        if kind is pd.Series:
            value = value.iloc[:, 0].rename(name)
        if frequency is not None:
            value.index.freq = frequency
        value.attrs = attributes[0] if attributes else {}
        return value


def _stream_of(value: Any) -> bytes:
    import pyarrow as pa

    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, value.schema) as stream:
        stream.write(value)
    return buffer.getvalue()
