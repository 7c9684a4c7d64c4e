from pathlib import Path

import pytest

from threefold.design.places import place
from threefold.design.reading import load
from threefold.errors import CanvasError

CANVAS = """\
threefold: 1
project: parcels
data:
  parcels: data/parcels.csv
predict:
  target: late
  leave out:
    - street
    - town
"""


def project(root: Path, code: str, canvas: str = CANVAS) -> Path:
    (root / "threefold.yaml").write_text(canvas)
    (root / "data.py").write_text(code)
    return root


@pytest.mark.parametrize("name", ["clean_parcel", "claen_parcels", "clean_letters", "cleanparcels"])
def test_a_cleaning_function_that_nobody_would_call_is_a_finding(tmp_path: Path, name: str) -> None:
    with pytest.raises(CanvasError) as caught:
        load(project(tmp_path, f"import polars\n\n\ndef {name}(table):\n    return table\n"))
    [finding] = caught.value.findings
    assert finding.where == "data.py:4"
    assert f"'{name}' would never be called" in finding.what
    assert "clean_parcels" in finding.do


def test_a_view_of_no_table_is_a_finding_before_anything_runs(tmp_path: Path) -> None:
    root = project(tmp_path, "")
    (root / "steps.py").write_text("def depots(parcels):\n    return parcels\n")
    (root / "features.py").write_text("def own(parcel):\n    return parcel\n\n\ndef of(depots):\n    return depots\n")
    with pytest.raises(CanvasError) as caught:
        load(root)
    [finding] = caught.value.findings
    assert (finding.where, "takes 'parcel'" in finding.what) == ("features.py:1", True)
    assert "did you mean 'parcels'?" in finding.do


def test_functions_of_other_names_are_the_projects_own_business(tmp_path: Path) -> None:
    code = "def clean_parcels(parcels):\n    return weigh(parcels)\n\n\ndef weigh(parcels):\n    return parcels\n"
    assert load(project(tmp_path, code)).project == "parcels"


def test_costs_of_mistakes_need_two_classes(tmp_path: Path) -> None:
    costly = CANVAS.replace("target: late", "target: late\n  problem: regression")
    costly += "value:\n  need: to know\n  mistakes: {false_positive: 1 EUR}\n"
    with pytest.raises(CanvasError) as caught:
        load(project(tmp_path, "", costly))
    assert [one.where for one in caught.value.findings] == ["threefold.yaml:13"]
    assert "the problem is 'regression'" in caught.value.findings[0].what


def test_the_line_of_a_key_or_of_an_item_is_found_again(tmp_path: Path) -> None:
    file = project(tmp_path, "") / "threefold.yaml"
    assert place(file, "predict", "target") == "threefold.yaml:6"
    assert place(file, "predict", "leave_out", item="town") == "threefold.yaml:9"
    assert place(file, "predict", "id") == "threefold.yaml:5"
    assert place(tmp_path / "gone.yaml", "predict") == "gone.yaml"
