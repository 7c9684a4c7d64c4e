"""Records are frozen, and come back from JSON as they went in."""

import dataclasses
from datetime import UTC, datetime

import msgspec
import pytest

from threefold import records
from threefold.records import (
    Arm,
    FeatureSpec,
    GateResult,
    Lineage,
    ModelVersion,
    Rollout,
    Routing,
    TaskSpec,
    from_json,
    from_plain,
    plain,
    to_json,
)

KINDS = [kind for kind in vars(records).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
LINEAGE = Lineage(
    snapshots={"flights": "a" * 64},
    training_set="b" * 64,
    test_set="c" * 64,
    code={"commit": "0123abc", "dirty": False},
    environment="d" * 64,
    run_id="e" * 32,
    candidate="boosting",
    as_of="2013-04-01T00:00:00",
    canvas="f" * 64,
    seed=7,
)
VERSION = ModelVersion("flight-delays", 3, "e" * 32, "1" * 64, "approved", {"roc_auc": 0.74}, LINEAGE, NOON)
ROUTING = Routing(
    "flight-delays", "flight-delays", 4,
    arms=(Arm(2, "1" * 64, "r2", 0.95), Arm(3, "2" * 64, "r3", 0.05)),
    previous=Arm(1, "0" * 64, "r1", 1.0),
    rollout=Rollout(3, (0.05, 0.25, 1.0), 0, NOON, 200),
)  # fmt: skip
TASK = TaskSpec(
    "binary", "late", (FeatureSpec("wind", "number", "weather"),), ("no", "yes"), "yes", {"false_positive": 40}
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_frozen_and_explains_itself(kind: type) -> None:
    assert kind.__dataclass_params__.frozen
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


@pytest.mark.parametrize("record", [VERSION, ROUTING, TASK], ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_went_in(record: object) -> None:
    assert from_json(to_json(record), type(record)) == record
    assert from_plain(plain(record), type(record)) == record


def test_equal_records_have_equal_bytes_whatever_the_order_of_their_mappings() -> None:
    one = GateResult("roc_auc", True, 0.74, ">= 0.70", "0.74 is enough", {"a": 1, "b": 2})
    two = GateResult("roc_auc", True, 0.74, ">= 0.70", "0.74 is enough", {"b": 2, "a": 1})
    assert to_json(one) == to_json(two)


def test_bytes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.share"):
        from_json(b'{"number": 1, "bundle": "a", "release_id": "r", "share": "half"}', Arm)


def test_this_moment_carries_its_time_zone() -> None:
    assert records.utc_now().tzinfo is UTC
