"""Every way Threefold says no has its three answers."""

import pickle

import pytest

from threefold import errors
from threefold.errors import CanvasError, Finding, ThreefoldError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ThreefoldError) and kind is not CanvasError
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_where_and_what_to_do(kind: type[ThreefoldError]) -> None:
    error = kind("no table is named 'fligths'", "threefold.yaml:7", "did you mean 'flights'?")
    assert str(error) == "no table is named 'fligths' (threefold.yaml:7); did you mean 'flights'?"


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_leaves_with_one_and_a_wrong_call_with_two(kind: type[ThreefoldError]) -> None:
    says_no = {"StepFailed", "GateFailed", "Refused"}
    assert kind.exit_code == (1 if kind.__name__ in says_no else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_a_process_boundary_whole(kind: type[ThreefoldError]) -> None:
    error = pickle.loads(pickle.dumps(kind("a", "b", "c")))
    assert (type(error), error.what, error.where, error.do) == (kind, "a", "b", "c")


def test_every_kind_explains_itself() -> None:
    assert all(kind.__doc__ and kind.__doc__.strip() for kind in KINDS)


def test_a_canvas_error_shows_all_findings_at_once() -> None:
    findings = [
        Finding("'prdict' is no key", "threefold.yaml:3", "did you mean 'predict'?"),
        Finding("'soon' is no duration", "threefold.yaml:9", "write it like '2 h' or '30 days'"),
    ]
    error = CanvasError(findings, "threefold.yaml")
    assert error.what == "the canvas has 2 findings"
    assert error.findings == tuple(findings)
    assert str(error).splitlines() == [
        "threefold.yaml:3: 'prdict' is no key; did you mean 'predict'?",
        "threefold.yaml:9: 'soon' is no duration; write it like '2 h' or '30 days'",
    ]


def test_a_canvas_error_with_one_finding_speaks_of_one() -> None:
    assert CanvasError([Finding("a", "b", "c")], "threefold.yaml").what == "the canvas has 1 finding"
