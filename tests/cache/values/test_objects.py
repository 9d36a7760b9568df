"""Instances of classes come back equal and of the same type, or they are not stored."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import gc
import pathlib
import subprocess
import sys
import textwrap
import warnings
import weakref
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, NewType, Optional, TypeVar
from zoneinfo import ZoneInfo

import attrs
import msgspec
import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache import SmartCache, cached, register_codec
from jarvisperf.cache.testing import forget_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from nowhere import Missing  # type: ignore[import-not-found]

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "r"


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Item:
    number: int
    tags: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    path: pathlib.Path
    item: Item | None = None


@dataclasses.dataclass
class Counted:
    name: str
    seen: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        self.upper = self.name.upper()

    @functools.cached_property
    def length(self) -> int:
        return len(self.name)


@dataclasses.dataclass
class Loose:
    payload: Any


@dataclasses.dataclass
class Undeclared:
    """No annotation names it."""

    number: int


@dataclasses.dataclass
class SubItem(Item):
    """No annotation names it."""


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@attrs.define
class Attrs:
    number: int
    when: datetime.datetime = attrs.field(converter=lambda value: value)


@attrs.frozen(slots=False)
class FrozenAttrs:
    items: list[Item]


class Struct(msgspec.Struct):
    number: int
    amount: decimal.Decimal


class Named(NamedTuple):
    colour: Colour
    item: Item


class Inner(pydantic.BaseModel):
    colour: Colour
    note: str = "none"


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    number: int = pydantic.Field(alias="n")
    inner: Inner
    many: list[Inner] = []
    when: datetime.datetime | None = None


class TwoAliases(pydantic.BaseModel):
    number: int = pydantic.Field(validation_alias="in", serialization_alias="out")


class Hidden(pydantic.BaseModel):
    number: int
    secret: str = pydantic.Field("", exclude=True)


class Open(pydantic.BaseModel):
    anything: Any


class Wider(Inner):
    more: int


class Holder(pydantic.BaseModel):
    inner: Inner


class Collections(pydantic.BaseModel):
    queue: deque[Inner] = deque()
    members: set[Any] = set()
    groups: defaultdict[str, list[int]] = defaultdict(list)
    counts: dict[str, int] = {}


class WithoutSchema(pydantic.BaseModel):
    """JSON schema cannot describe its second field."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    number: int
    payload: bytearray | None = None


UserId = NewType("UserId", Item)
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: pathlib.Path):
    with SmartCache(None, tmp_path if request.param == "disk" else None, memory_items=100) as cache:
        cache.kind = request.param  # type: ignore[attr-defined]
        yield cache


def stored(cache: SmartCache, annotation: Any, value: Any) -> tuple[Any, int]:
    """Return what the second call of a function gets, from below memory if there is a disk, and the number of runs."""
    runs = []

    def work() -> Any:
        runs.append(1)
        return value

    work.__annotations__["return"] = annotation
    function = cached(cache=cache)(work)
    function()
    if cache.kind == "disk":  # type: ignore[attr-defined]
        forget_memory(cache)
    return function(), len(runs)


SAME = [
    (Item, Item(3, {"a", "b"})),
    (Item | None, None),
    (Optional["Item"], Item(1)),
    (Annotated[Item, "note"], Item(1)),
    (UserId, Item(2)),
    (Box[Item], Box(Item(1))),
    (dict[str, list[Item]], {"a": [Item(1), Item(2)]}),
    (tuple[Item, ...], (Item(1),)),
    (Slotted, Slotted(pathlib.Path("/srv"), Item(1))),
    (Loose, Loose({"a", 1j, None})),
    (Loose, Loose(np.arange(3))),
    (Attrs, Attrs(1, NOON)),
    (FrozenAttrs, FrozenAttrs([Item(1)])),
    (Struct, Struct(1, decimal.Decimal("1.10"))),
    (Named, Named(Colour.RED, Item(1))),
    (Colour, Colour.RED),
    (dict[Colour, Access], {Colour.RED: Access.READ | Access.WRITE}),
    (Inner, Inner(colour=Colour.RED)),
    (list[Model], [Model(n=1, inner=Inner(colour=Colour.RED), many=[Inner(colour=Colour.RED, note="x")], when=NOON)]),
    (Model, Model(n=1, inner=Inner(colour=Colour.RED), unknown=[1, {"a": None}])),
    (TwoAliases, TwoAliases.model_validate({"in": 4})),
    (Collections, Collections(queue=deque([Inner(colour=Colour.RED)]), groups=defaultdict(list, {"a": [1]}))),
    (WithoutSchema, WithoutSchema(number=1)),
]


def same(one: Any, other: Any) -> bool:
    if isinstance(other, Loose) and isinstance(other.payload, np.ndarray):
        return bool((one.payload == other.payload).all() and one.payload.dtype == other.payload.dtype)
    return bool(one == other)


@pytest.mark.parametrize(("annotation", "value"), SAME, ids=lambda part: getattr(part, "__name__", type(part).__name__))
def test_a_result_comes_back_equal_and_of_the_same_type(cache: SmartCache, annotation: Any, value: Any):
    found, runs = stored(cache, annotation, value)
    assert same(found, value)
    assert type(found) is type(value)
    assert runs == 1


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Loose, Loose(Undeclared(1))),
        (Loose, Loose(memoryview(b"x"))),
        (list[Item], [Undeclared(1)]),
        (Item, SubItem(1)),
        (Hidden, Hidden(number=1, secret="s")),
        (Open, Open(anything={1, 2})),
        (Open, Open(anything=Colour.RED)),
        (Holder, Holder(inner=Wider(colour=Colour.RED, more=1))),
        (Collections, Collections(queue=deque([Inner(colour=Colour.RED)], maxlen=5))),
        (Collections, Collections(members={(1, 2)})),
        (Collections, Collections.model_construct(groups=defaultdict(int, {"a": [1]}))),
        (Collections, Collections.model_construct(counts=defaultdict(int, {"a": 1}))),
        (Collections, Collections.model_construct(counts=[1])),
        (WithoutSchema, WithoutSchema(number=1, payload=bytearray(b"x"))),
    ],
    ids=lambda part: getattr(part, "__name__", type(part).__name__),
)
def test_what_would_come_back_as_something_else_is_returned_but_not_stored(
    cache: SmartCache, annotation: Any, value: Any, caplog: pytest.LogCaptureFixture
):
    found, runs = stored(cache, annotation, value)
    assert found == value
    assert type(found) is type(value)
    assert (runs, cache.get_stats()["unstorable"], len(caplog.records)) == (2, 2, 1)


def test_which_fields_of_a_model_were_set_is_kept(cache: SmartCache):
    value = Model(n=1, inner=Inner(colour=Colour.RED), many=[Inner(colour=Colour.RED)])
    found, runs = stored(cache, Model, value)
    assert found.model_dump(exclude_unset=True) == value.model_dump(exclude_unset=True)
    assert runs == 1


def test_which_fields_of_a_model_in_a_queue_were_set_is_kept(cache: SmartCache):
    value = Collections(queue=deque([Inner(colour=Colour.RED)]))
    found, runs = stored(cache, Collections, value)
    assert found.model_dump(exclude_unset=True) == value.model_dump(exclude_unset=True)
    assert runs == 1


def test_a_model_that_pydantic_warns_about_raises_no_warning(cache: SmartCache):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, _ = stored(cache, Collections, Collections.model_construct(counts=[1]))
    assert found.counts == [1]


def test_attributes_besides_the_fields_come_back_and_derived_ones_are_computed_again(cache: SmartCache):
    value = Counted("ada")
    value.seen = 3
    assert value.length == 3
    found, runs = stored(cache, Counted, value)
    assert (found, found.upper, found.length, runs) == (value, "ADA", 3, 1)


def test_every_caller_gets_an_instance_of_its_own(cache: SmartCache):
    first, _ = stored(cache, Item, Item(1, {"a"}))
    first.tags.add("b")
    second, _ = stored(cache, Item, Item(1, {"a"}))
    assert second == Item(1, {"a"})


def test_an_annotation_that_only_type_checkers_resolve_does_not_hide_that_of_the_result(cache: SmartCache):
    @cached(cache=cache)
    def load(number: int, how: Missing | None = None) -> Item:
        return Item(number)

    assert load(1) == load(1) == Item(1)
    assert load.cache_info().misses == 1


@pytest.mark.parametrize(
    "change", ["mail: str", "name: str; mail: str = ''; admin: bool = False", "name: bytes; mail: str"]
)
def test_an_entry_whose_class_has_other_fields_now_is_computed_again(tmp_path: pathlib.Path, change: str):
    program = """
        import dataclasses, sys
        from jarvisperf.cache import SmartCache, cached
        @dataclasses.dataclass
        class User:
            {fields}
        @cached(cache=SmartCache(None, {folder!r}))
        def load() -> User:
            print("computed")
            return User(*["x"] * {count})
        load()
    """

    def run(fields: str) -> str:
        text = textwrap.dedent(program).format(fields=fields, folder=str(tmp_path / "c"), count=len(fields.split(";")))
        (tmp_path / "service.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-B", "-c", "import service"], cwd=tmp_path, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    first = "name: str; mail: str"
    assert [run(first), run(first), run(change), run(change)] == ["computed", "", "computed", ""]


@pytest.mark.parametrize("read", [lambda cache, key: cache.get(key), lambda cache, key: cache.get_many([key]).get(key)])
def test_memory_misses_a_value_whose_class_was_defined_again(read: Callable[[SmartCache, str], object]):
    def define(*fields: str) -> Any:
        kind = dataclasses.make_dataclass("Again", fields, namespace={"__module__": __name__})

        def load() -> Any:
            return kind(*fields)

        load.__annotations__["return"] = kind
        return cached(cache=cache, key_prefix=fields[-1])(load)

    cache = SmartCache(None, None)
    first = define("a", "b")
    assert first() == read(cache, first.cache_key())
    define("a", "b", "c")()  # as a notebook does when a cell is run again
    assert read(cache, first.cache_key()) is None


def test_a_local_class_is_another_class_at_every_call(cache: SmartCache):
    def make(number: int) -> tuple[type, Callable[[], Any]]:
        @dataclasses.dataclass
        class Local:
            number: int

        def load() -> Local:
            return Local(number)

        load.__annotations__["return"] = Local
        return Local, cached(cache=cache, key_prefix=f"make{number}")(load)

    for number in (1, 2):
        kind, load = make(number)
        assert [type(load()), type(load())] == [kind, kind]


def test_declared_classes_are_not_kept_alive(cache: SmartCache):
    def declare() -> weakref.ref[type]:
        @dataclasses.dataclass
        class Local:
            number: int

        assert stored(cache, Local, Local(1))[0] == Local(1)
        return weakref.ref(Local)

    reference = declare()
    cache.clear()
    gc.collect()
    assert reference() is None


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


def test_a_registered_codec_stores_a_class_wherever_it_occurs(cache: SmartCache):
    register_codec(Point, lambda point: point.x, Point)
    cache.set("k", {"points": [Point(1), Point(2)]})
    assert cache.get("k") == {"points": [Point(1), Point(2)]}


def test_a_codec_that_loses_something_stores_nothing(cache: SmartCache):
    class Lossy(Point):
        pass

    register_codec(Lossy, lambda value: value.x, lambda x: Lossy(x + 1))
    with pytest.raises(TypeError, match="comes back as another one"):
        cache.set("k", Lossy(1))


def test_a_codec_that_fails_stores_nothing(cache: SmartCache):
    class Failing(Point):
        pass

    register_codec(Failing, lambda value: value.x, lambda x: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="cannot be read back"):
        cache.set("k", Failing(1))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Point(1), str, Point), TypeError, "give a class"),
        ((Point, None, Point), TypeError, "encode is None: give a function"),
        ((str, str, str), ValueError, "kind is str, which caches store already"),
    ],
)
def test_a_wrong_registration_is_refused(arguments: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        register_codec(*arguments)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Item, st.integers()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Loose, inner) | st.tuples(inner),
    max_leaves=12,
))  # fmt: skip
def test_any_tree_of_values_and_declared_objects_comes_back_as_it_was(value: Any):
    with SmartCache(None, None) as cache:

        @cached(cache=cache)
        def load() -> tuple[Item, Loose, Any]:
            return value  # type: ignore[no-any-return]

        load()
        assert repr(load()) == repr(value)
        assert load.cache_info().misses == 1


class WithSlot:
    __slots__ = ("note",)


@dataclasses.dataclass(slots=True)
class Noted(WithSlot):
    number: int


class OpenStruct(msgspec.Struct, dict=True):
    number: int

    @functools.cached_property
    def twice(self) -> int:
        return 2 * self.number


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


def stored_and_read(result: Any, annotation: Any) -> tuple[Any, int]:
    """Return what a second caller gets, and how often the function ran."""
    runs: list[int] = []

    def f() -> Any:
        runs.append(1)
        return result

    f.__annotations__["return"] = annotation
    with SmartCache(None, None) as cache:
        get = cached(cache=cache)(f)
        get()
        return get(), len(runs)


def test_attributes_in_slots_that_are_not_fields_are_kept():
    noted = Noted(1)
    assert not hasattr(stored_and_read(noted, Noted)[0], "note")
    noted.note = {"by": "Ada"}
    found, runs = stored_and_read(noted, Noted)
    assert (found, found.note, runs) == (noted, {"by": "Ada"}, 1)


def test_attributes_of_a_struct_that_are_not_fields_are_kept_except_cached_properties():
    struct = OpenStruct(2)
    struct.note = "by Ada"
    assert struct.twice == 4
    found, runs = stored_and_read(struct, OpenStruct)
    assert (found, vars(found), runs) == (struct, {"note": "by Ada"}, 1)


def test_an_instance_of_a_generic_class_remembers_its_arguments_if_the_annotation_names_them():
    found, runs = stored_and_read([Box[int](1)], list[Box[int]])
    assert (found, found[0].__orig_class__, runs) == ([Box(1)], Box[int], 1)
    assert stored_and_read(Box[bytes](b""), Box) == (Box(b""), 2)


class Meeting(pydantic.BaseModel):
    starts: list[datetime.datetime]


def test_a_model_with_a_time_in_a_named_zone_is_not_stored_because_json_keeps_its_offset_only():
    in_utc = Meeting(starts=[datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)])
    in_berlin = Meeting(starts=[datetime.datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))])
    assert stored_and_read(in_utc, Meeting) == (in_utc, 1)
    found, runs = stored_and_read(in_berlin, Meeting)
    assert (found.starts[0].tzinfo, runs) == (ZoneInfo("Europe/Berlin"), 2)


class Unwilling:
    pass


def test_a_result_whose_codec_fails_is_returned_and_not_stored():
    register_codec(Unwilling, lambda value: 1 // 0, lambda _: Unwilling())
    result = Unwilling()
    assert stored_and_read([result], list[Unwilling]) == ([result], 2)
    with SmartCache(None, None) as cache, pytest.raises(TypeError, match=r"value\[0\]: .* \(ZeroDivisionError"):
        cache.set("k", [result])
