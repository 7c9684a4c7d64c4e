import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.serving.journal import Columns
from threefold.serving.plain import PlainReader
from threefold.serving.protocol import ID, TIME, BadRequest, Layout, decode, read_rows

FEATURES = {"temp": "FP32", "wind": "FP32", "carrier": "BYTES"}
LAYOUT = Layout(
    Columns(("temp", "wind"), ("carrier",)),
    frozenset(FEATURES),
    frozenset(FEATURES),
    FEATURES | {ID: "BYTES", TIME: "BYTES"},
)
READER = PlainReader(LAYOUT)

numbers = st.none() | st.integers(-(2**40), 2**40) | st.floats(-1e38, 1e38, allow_nan=False)
texts = st.none() | st.text(max_size=5)
anything = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
)


def body(rows, columns, order=None):
    inputs = [
        {"name": name, "shape": [rows, 1], "datatype": "FP32" if name in ("temp", "wind") else "BYTES", "data": values}
        for name, values in columns.items()
    ]
    return json.dumps({"inputs": inputs if order is None else [inputs[place] for place in order]}).encode()


def careful(data):
    request, tail = decode(data, None)
    return read_rows(request, tail, LAYOUT, "r")


def quick(data):
    """The rows the quick way reads; None where it does not take them, or says itself what is wrong."""
    try:
        return READER.read(data, "r")
    except BadRequest:
        return None


@st.composite
def good(draw):
    rows = draw(st.integers(1, 4))
    columns = {
        "temp": draw(st.lists(numbers, min_size=rows, max_size=rows)),
        "wind": draw(st.lists(numbers, min_size=rows, max_size=rows)),
        "carrier": draw(st.lists(texts, min_size=rows, max_size=rows)),
    }
    if draw(st.booleans()):
        columns[ID] = draw(st.lists(st.text("abc", min_size=1), min_size=rows, max_size=rows))
    if draw(st.booleans()):
        columns[TIME] = [f"2013-07-01T1{row}:00:00" for row in range(rows)]
    return body(rows, columns, draw(st.permutations(range(len(columns)))))


@given(good())
def test_both_ways_read_the_same_rows(data):
    expected = careful(data)
    found = READER.read(data, "r")
    assert found is not None
    rows = found[2]
    assert (rows.count, rows.ids, rows.times_us, rows.texts) == (
        expected.count, expected.ids, expected.times_us, expected.texts,
    )  # fmt: skip
    assert np.array_equal(rows.numbers, expected.numbers, equal_nan=True)


@given(st.lists(anything, max_size=3), st.lists(anything, max_size=3), st.integers(-1, 3))
def test_the_quick_way_takes_nothing_that_the_careful_way_refuses(first, last, rows):
    data = body(rows, {"temp": first, "wind": [1.0] * max(rows, 0), "carrier": last})
    try:
        careful(data)
    except BadRequest:
        assert quick(data) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda inputs: inputs[0].update(parameters={"binary_data_size": 4}),
        lambda inputs: inputs[0].update(shape=[1]),
        lambda inputs: inputs[0].update(name="carrier"),
        lambda inputs: inputs[0].update(data=[[1.0]]),
        lambda inputs: inputs[0].update(data=[1e39]),
        lambda inputs: inputs.append(dict(inputs[0])),
        lambda inputs: inputs.pop(),
        lambda inputs: inputs.append({"name": ID, "shape": [1, 1], "datatype": "BYTES", "data": [None]}),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_careful_way(change):
    document = json.loads(body(1, {"temp": [1.0], "wind": [2.0], "carrier": ["AA"]}))
    change(document["inputs"])
    assert READER.read(json.dumps(document).encode(), "r") is None
