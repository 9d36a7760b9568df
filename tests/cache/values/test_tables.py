"""Tables of pandas, polars and Arrow come back as they were, or are not stored."""

from __future__ import annotations

import datetime
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import forget_memory

if TYPE_CHECKING:
    from pathlib import Path

DAYS = pd.date_range("2026-11-01", periods=3, freq="D")
PANDAS = {
    "numbers and text": pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [1.5, np.nan, -0.0]}),
    "time index with a frequency": pd.DataFrame({"a": [1, 2, 3]}, index=DAYS),
    "several index levels": pd.DataFrame(
        {"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", "n"])
    ),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y", "x"], ordered=True)}),
    "nullable and zoned": pd.DataFrame(
        {"i": pd.array([1, None], dtype="Int64"), "t": pd.to_datetime(["2026-01-01", None], utc=True)}
    ),
    "empty": pd.DataFrame({"a": pd.Series([], dtype="float32")}),
    "periods": pd.DataFrame({"a": [1, 2]}, index=pd.period_range("2026-01", periods=2, freq="M")),
    "text index": pd.DataFrame({"a": [1.0]}, index=["row"]),
}


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path):
    with SmartCache(None, tmp_path if request.param == "disk" else None) as cache:
        yield cache


def returned(cache: SmartCache, value: Any) -> Any:
    assert cache.set("k", {"table": value})
    if cache.get_stats()["local_cache_available"]:
        forget_memory(cache)
    return cache.get("k")["table"]


@pytest.mark.parametrize("name", PANDAS)
def test_a_frame_of_pandas(cache: SmartCache, name: str):
    frame = PANDAS[name]
    pd.testing.assert_frame_equal(returned(cache, frame), frame, check_exact=True)


def test_a_series_of_pandas_with_its_name_and_attributes(cache: SmartCache):
    series = pd.Series([1, 2, 3], index=DAYS, name="n")
    series.attrs["unit"] = "s"
    found = returned(cache, series)
    pd.testing.assert_series_equal(found, series, check_exact=True)
    assert found.attrs == {"unit": "s"}


@pytest.mark.parametrize(
    "value",
    [
        pl.DataFrame(
            {"a": [1, 2, None], "b": ["x", "y", "z"], "c": [[1], [], None], "d": [datetime.date(2026, 1, 1)] * 3}
        ),
        pl.Series("s", [1.5, None]),
        pl.concat([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})]),
    ],
    ids=["frame", "series", "several chunks"],
)
def test_a_table_of_polars(cache: SmartCache, value: Any):
    found = returned(cache, value)
    assert type(found) is type(value)
    assert found.equals(value)


@pytest.mark.parametrize(
    "value",
    [
        pa.table({"a": [1, 2], "b": [{"x": 1}, None]}, metadata={"k": "v"}),
        pa.record_batch({"a": pa.array([1.5, None])}),
        pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2]})]),
        pa.table({"a": pa.array([], pa.int8())}),
    ],
    ids=["table", "batch", "several chunks", "empty"],
)
def test_a_table_of_arrow(cache: SmartCache, value: Any):
    found = returned(cache, value)
    assert type(found) is type(value)
    assert found.equals(value, check_metadata=True)


def test_every_reader_gets_a_table_of_its_own(cache: SmartCache):
    cache.set("k", pd.DataFrame({"a": [1, 2]}))
    first = cache.get("k")
    first.loc[0, "a"] = 9
    assert cache.get("k")["a"].tolist() == [1, 2]


class Sub(pd.DataFrame):
    """A subclass, which would come back as its base class."""


@pytest.mark.parametrize(
    "value",
    [pd.DataFrame({"a": [1, "x", object()]}), pd.DataFrame({"a": [1, "x"]}), Sub({"a": [1]}), pl.LazyFrame({"a": [1]})],
    ids=["objects", "mixed types", "subclass", "lazy"],
)
def test_what_would_come_back_as_another_table_is_refused(cache: SmartCache, value: Any):
    with pytest.raises(TypeError, match="value: "):
        cache.set("k", value)


def test_another_process_reads_a_table_that_it_has_not_declared(tmp_path: Path):
    with SmartCache(None, tmp_path) as cache:
        cache.set("k", PANDAS["categories"])
    code = (
        "import sys; from jarvisperf.cache import SmartCache as C; print(C(None, sys.argv[1]).get('k')['a'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['x', 'y', 'x']"


def test_a_frame_with_an_integer_that_arrow_cannot_hold_is_refused(cache: SmartCache):
    with pytest.raises(TypeError, match=r"value\['table'\]: object of type DataFrame .* \(OverflowError"):
        cache.set("k", {"table": pd.DataFrame({"a": [2**70, 1]}, dtype=object)})
