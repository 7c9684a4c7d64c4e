from pathlib import Path
from typing import Any

import pytest

from threefold.errors import DataError, StepFailed
from threefold.pipeline.calling import failure, named_outputs, place
from threefold.pipeline.step import Step

ONE, TWO = Step("one", dict), Step("two", dict, outputs=("a", "b"))


def raised(call: Any) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_one_output_has_no_name_and_several_have_theirs() -> None:
    assert named_outputs(ONE, {"a": 1}) == {"": {"a": 1}}
    assert named_outputs(TWO, {"b": 2, "a": 1}) == {"a": 1, "b": 2}


@pytest.mark.parametrize("result", [None, [1, 2], {"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_other_outputs_than_promised_are_refused(result: Any) -> None:
    with pytest.raises(StepFailed):
        named_outputs(TWO, result)


def test_the_line_is_the_innermost_one_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import json\n\ndef parse():\n    return json.loads('{')\n")
    scope: dict[str, Any] = {}
    exec(compile((tmp_path / "own.py").read_text(), str(tmp_path / "own.py"), "exec"), scope)
    assert place(raised(scope["parse"]), tmp_path) == "own.py:4"


def test_our_own_errors_stay_what_they_are() -> None:
    error = DataError("a", "b", "c")
    assert failure(ONE, error, Path("/")) is error
    assert failure(ONE, ValueError("bad"), Path("/")).what == "step 'one' raised ValueError: bad"
