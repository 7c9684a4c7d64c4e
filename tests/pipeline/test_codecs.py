import math
import pickle
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.errors import Refused, ThreefoldError
from threefold.pipeline import codecs
from threefold.records import FeatureSpec, GateResult, TaskSpec
from threefold.store.objects import LocalObjects

KEY = bytes(32)


@dataclass
class Stranger:
    """A data class that is not Threefold's: its module need not be there when it is read."""

    n: int


def round_trip(value: Any) -> Any:
    encoded = codecs.encode(value, KEY)
    return codecs.decode(encoded.data, encoded.codec, KEY)


VALUES = [
    None,
    True,
    0,
    2**80,
    -1.5,
    "é",
    b"\x00\xff",
    [1, [2, (3, "x")]],
    {"b": 1, "a": {"$dollar": 2}},
    {1: "one", (2, 3): "two"},
    {1, 2},
    frozenset({"a"}),
    datetime(2013, 4, 1, 5, 30),
    datetime(2026, 1, 1, tzinfo=UTC),
    date(2013, 4, 1),
    timedelta(days=2, microseconds=1),
    Path("data/flights.csv"),
    GateResult("auc", True, None, ">= 0.7", "it is enough", {"slices": (1, 2)}),
    [TaskSpec("binary", "late", (FeatureSpec("dist", "number", "row"),), ("no", "yes"))],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values_and_records_come_back_exactly(value: Any) -> None:
    back = round_trip(value)
    assert back == value
    assert type(back) is type(value)
    assert codecs.encode(value, KEY).codec in ("json", "bytes")


def test_the_order_of_a_mapping_is_kept() -> None:
    assert list(round_trip({"b": 1, "a": 2})) == ["b", "a"]


def test_numbers_that_json_lacks_come_back() -> None:
    back = round_trip([math.nan, math.inf, -math.inf])
    assert math.isnan(back[0])
    assert back[1:] == [math.inf, -math.inf]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner) | st.tuples(inner),
)


@given(json_values)
def test_every_nesting_of_plain_values_comes_back(value: Any) -> None:
    assert round_trip(value) == value


def test_a_table_comes_back_with_its_types_and_has_equal_bytes_each_time(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"n": [1, None], "x": [0.5, float("nan")], "t": [datetime(2013, 1, 1), None], "s": ["a", None], "l": [[1], []]},
        schema_overrides={"n": pl.Int8, "x": pl.Float32},
    )
    objects = LocalObjects(tmp_path)
    encoded, digest = codecs.keep(table, objects, KEY)
    assert encoded.codec == "table"
    assert objects.get_table(digest).equals(table)
    assert objects.get_table(digest).schema == table.schema
    assert codecs.keep(table.clone(), objects, KEY) == (encoded, digest)


def test_anything_else_is_a_signed_pickle() -> None:
    encoded = codecs.encode({"weights": np.arange(3.0)}, KEY)
    assert encoded.codec == "pickle"
    assert encoded.data.startswith(codecs.MAGIC)
    assert codecs.decode(encoded.data, "pickle", KEY)["weights"].tolist() == [0.0, 1.0, 2.0]


def test_a_pickle_tells_which_classes_are_inside() -> None:
    assert f"{__name__}:Stranger" in codecs.encode([Stranger(1)], KEY).classes


class Mark:
    """Leaves a mark where it is unpickled."""

    opened: ClassVar[list[str]] = []

    def __reduce__(self) -> Any:
        return Mark.opened.append, ("opened",)


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Mark()),
        codecs.MAGIC + pickle.dumps(Mark()),
        codecs.sign_pickle(Mark(), bytes(31) + b"x")[0],
        codecs.sign_pickle(Mark(), KEY)[0] + b".",
    ],
    ids=["unsigned", "unsigned with our first line", "of another store", "altered"],
)
def test_a_foreign_pickle_is_refused_and_nothing_of_it_runs(data: bytes) -> None:
    with pytest.raises(Refused):
        codecs.open_pickle(data, KEY)
    assert Mark.opened == []


@pytest.mark.parametrize("name", ["os:system", "threefold.pipeline.codecs:encode", "threefold.records:Nothing"])
def test_json_brings_nothing_to_life_but_records(name: str) -> None:
    with pytest.raises(Refused):
        codecs.from_text(b'{"$record":"%s","command":"true"}' % name.encode())


def test_what_cannot_be_kept_is_answered() -> None:
    with pytest.raises(ThreefoldError) as error:
        codecs.encode((n for n in range(3)), KEY)
    assert error.value.what.startswith("a value of type generator cannot be kept")


def test_a_codec_of_a_newer_threefold_is_answered() -> None:
    with pytest.raises(ThreefoldError):
        codecs.decode(b"", "arrow-flight", KEY)
