"""Gates are parsed from the words of the canvas."""

import pytest

from threefold.design.gates import parse_gate
from threefold.errors import ThreefoldError
from threefold.records import Gate


@pytest.mark.parametrize(
    ("name", "limit", "gate"),
    [
        ("roc_auc", ">= 0.70", Gate("roc_auc", "roc_auc", ">=", 0.7)),
        ("roc auc", "> 70%", Gate("roc auc", "roc_auc", ">", 0.7)),
        ("roc_auc over baseline", ">= 0.03", Gate("roc_auc over baseline", "roc_auc", ">=", 0.03, over="baseline")),
        ("rmse over champion", ">= -1.5", Gate("rmse over champion", "rmse", ">=", -1.5, over="champion")),
        ("recall gap across carrier", "<= 0.2", Gate("recall gap across carrier", "recall", "<=", 0.2, across="carrier", reduce="gap")),
        ("worst recall across age group", ">= 0.6", Gate("worst recall across age group", "recall", ">=", 0.6, across="age group", reduce="worst")),
        ("cost per prediction", "<= 12 USD", Gate("cost per prediction", "cost per prediction", "<=", 12.0, "USD")),
        ("latency p99", "<= 20 ms", Gate("latency p99", "latency p99", "<=", 20.0, "ms")),
        ("latency p50", "< 0.5 s", Gate("latency p50", "latency p50", "<", 500.0, "ms")),
        ("size", "<= 5 MB", Gate("size", "size", "<=", 5e6, "bytes")),
        ("parity", "<= 1e-5", Gate("parity", "parity", "<=", 1e-5)),
    ],
)  # fmt: skip
def test_a_gate_is_a_name_and_a_limit(name: str, limit: str, gate: Gate):
    assert parse_gate(name, limit) == gate


@pytest.mark.parametrize(
    ("name", "limit", "do"),
    [
        ("roc_auk", ">= 1", "did you mean 'roc_auc'?"),
        ("recal gap across sex", "<= 1", "did you mean 'recall gap across sex'?"),
        ("worst acuracy across sex", ">= 1", "did you mean 'worst accuracy across sex'?"),
        ("roc_auc over basline", ">= 1", "did you mean 'roc_auc over baseline'?"),
        ("happiness", ">= 1", "write a gate such as"),
        ("roc_auc", "0.7", '">= 0.7" or "<= 0.7"'),
        ("roc_auc", ">= high", "write a limit in quotes"),
        ("roc_auc", ">= 3 USD", "without a unit"),
        ("latency p99", "<= 3 MB", "the limit in ms, s, us"),
        ("cost per prediction", "<= 12 dollars", "write a cost such as"),
    ],
)
def test_a_gate_that_cannot_be_read_is_answered_with_the_nearest_one(name: str, limit: str, do: str):
    with pytest.raises(ThreefoldError) as caught:
        parse_gate(name, limit)
    assert do in caught.value.do
