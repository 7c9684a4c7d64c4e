import sys
from pathlib import Path
from typing import Any

import pytest

import threefold
from threefold.pipeline.environment import Distributions, digest_of_document, is_library, local_folders, read_document
from threefold.pipeline.files import Files
from threefold.pipeline.step import Step


def install(folder: Path, name: str, version: str, needs: str = "") -> None:
    package = folder / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    for old in folder.glob(f"{name}-*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs.split()]
    (info / "METADATA").write_text("\n".join([*lines, "", "Requires-Dist: not-in-the-header"]))


@pytest.fixture
def packages(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("env") / "site-packages"
    install(folder, "alpha", "1.0", "beta>=1 gamma")
    install(folder, "beta", "2.0")
    install(folder, "lonely", "5.0")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_the_document_names_what_is_imported_and_what_that_needs(packages: Path) -> None:
    document = Distributions(Files()).document({"alpha", "json"})
    assert document.keys() == {"python", "platform", "alpha", "beta"}
    assert document["beta"] == "2.0"
    assert document["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_a_module_whose_distribution_has_another_name_is_found() -> None:
    document = Distributions(Files()).document({"sklearn"})
    assert {"scikit-learn", "numpy", "scipy"} <= document.keys()


def test_threefold_counts_with_its_source_and_what_it_is_built_on() -> None:
    document = Distributions(Files()).document({"threefold"})
    assert {"threefold", "polars", "numpy", "scikit-learn"} <= document.keys()
    assert " source " in document["threefold"]


def test_a_document_comes_back_from_its_bytes() -> None:
    document = {"python": "3.11", "threefold": "0.1.0 source 0123456789ab"}
    assert read_document(digest_of_document(document)[0]) == document


def test_source_and_libraries_are_told_apart(tmp_path: Path) -> None:
    assert is_library(Path(pytest.__file__))
    assert is_library(Path(threefold.__file__).resolve())
    assert not is_library(tmp_path / "features.py")
    assert local_folders(tmp_path)[0] == tmp_path.resolve()


def test_another_version_of_an_imported_package_is_a_change(project: Any, packages: Path) -> None:
    project.write("model.py", "import alpha\n\ndef fit():\n    return str(alpha)[:7]\n")

    def again() -> tuple[str, str]:
        one = project.run([Step("fit", project.module("model").fit)]).executions[0]
        return one.status, one.reason

    assert again()[0] == "ran"
    install(packages, "lonely", "6.0")
    assert again()[0] == "reused"
    install(packages, "beta", "2.1")
    assert again() == ("ran", "beta 2.0 -> 2.1")
