import pytest

from threefold.design.canvas import CommandStep
from threefold.errors import NotFound, ThreefoldError
from threefold.pipeline.step import Step, order, output_names


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


A = Step("a", dict, stage="data")
B = Step("b", dict, inputs={"x": "a"}, stage="features")
C = Step("c", dict, inputs={"x": "b.left", "y": "a"}, stage="features")
TWO = Step("b", dict, inputs={"x": "a"}, outputs=("left", "right"), stage="features")


def test_a_step_comes_after_what_it_needs() -> None:
    assert names(order([C, TWO, A])) == ["a", "b", "c"]


def test_only_what_a_target_needs_is_taken() -> None:
    assert names(order([A, TWO, C], ["b"])) == ["a", "b"]
    assert names(order([A, TWO, C], ["data"])) == ["a"]


def test_a_circle_is_shown() -> None:
    with pytest.raises(ThreefoldError) as error:
        order([Step("a", dict, inputs={"x": "b"}), Step("b", dict, inputs={"x": "a"})])
    assert error.value.where == "a -> b -> a"


@pytest.mark.parametrize(
    ("steps", "what", "do"),
    [
        ([A, Step("z", dict, inputs={"x": "aa"})], "there is no step 'aa'", "did you mean 'a'?"),
        ([A, Step("z", dict, inputs={"x": "a.out"})], "step 'a' has no output 'out'", "there is none"),
        ([A, TWO, Step("z", dict, inputs={"x": "b"})], "step 'b' has several outputs", "name one of them: left, right"),
        ([A, TWO, Step("z", dict, inputs={"x": "b.lft"})], "step 'b' has no output 'lft'", "did you mean 'left'?"),
    ],
)
def test_an_input_that_does_not_exist_is_answered_with_the_nearest(steps: list[Step], what: str, do: str) -> None:
    with pytest.raises(NotFound) as error:
        order(steps)
    assert (error.value.what, error.value.do) == (what, do)


def test_names_stand_once_and_hold_no_dot() -> None:
    with pytest.raises(ThreefoldError, match="two steps are named 'a'"):
        order([A, A])
    with pytest.raises(ThreefoldError, match="cannot be named"):
        order([Step("a.b", dict)])


def test_the_outputs_of_a_command_are_its_files_and_its_table() -> None:
    command = CommandStep("prepare", "true", outputs=("a.csv",), table="orders: a.csv")
    assert output_names(Step("prepare", command)) == ("a.csv", "orders")
