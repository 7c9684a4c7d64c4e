"""A project starts from a template or a table, and runs as it is."""

import random
from pathlib import Path

import polars as pl
import pytest
from sklearn import datasets

from threefold.data import cleaning, sources, split
from threefold.data.starting import InitReport, init_from_table, init_template, named, table_name
from threefold.design.canvas import Canvas
from threefold.design.code import load_code
from threefold.design.reading import load
from threefold.errors import Conflict, DataError, StoreError, ThreefoldError


def table(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def csv(rows: int = 200, **columns: object) -> str:
    """A table of `x`, columns made by functions of the row's number, and a target `y` that chance decides."""
    draw = random.Random(3)
    lines = [",".join(["x", *columns, "y"])]
    for number in range(rows):
        made = [str(make(number)) if callable(make) else str(make) for make in columns.values()]
        lines.append(",".join([f"{draw.random():.4f}", *made, draw.choice(["yes", "no"])]))
    return "\n".join(lines) + "\n"


def started(tmp_path: Path, text: str, target: str = "y") -> tuple[InitReport, Canvas]:
    report = init_from_table(tmp_path / "project", table(tmp_path, text), target)
    return report, load(tmp_path / "project")


def left_out(canvas: Canvas) -> tuple[str, ...]:
    return canvas.predict.leave_out


def canvas_text(tmp_path: Path) -> str:
    return (tmp_path / "project" / "threefold.yaml").read_text()


# ------------------------------------------------------------------------------------------------------ the template


def test_the_template_is_a_sound_project_with_its_table(tmp_path):
    report = init_template(tmp_path / "p", "My parcels")
    canvas, code = load(tmp_path / "p"), load_code(tmp_path / "p")
    assert report.name == canvas.project == "My-parcels"
    assert list(code.functions("features")) == ["order", "carrier_lately"]
    assert list(code.functions("model")) == [canvas.train.baseline]
    frame, _ = sources.read(canvas.data["parcels"], tmp_path / "p")
    assert frame.height == 3_000
    assert isinstance(frame["ordered_at"].dtype, pl.Datetime)
    assert (frame["delivered_at"] > frame["ordered_at"]).all()
    assert 0.2 < frame["late"].mean() < 0.5


def test_the_template_is_the_same_every_time(tmp_path):
    init_template(tmp_path / "a", "p")
    init_template(tmp_path / "b", "p")
    for file in (tmp_path / "a").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_the_views_of_the_template_make_features_of_the_right_height(tmp_path):
    init_template(tmp_path, "p")
    canvas = load(tmp_path)
    frame, _ = sources.read(canvas.data["parcels"], tmp_path)
    views = load_code(tmp_path).functions("features")
    assert views["order"](frame).height == frame.height
    assert views["carrier_lately"](frame)["carrier_late_share"].is_between(0, 1).all()


def test_a_folder_with_a_readme_and_git_is_free_for_the_template(tmp_path):
    (tmp_path / ".git").mkdir()
    table(tmp_path, "# mine", "README.md")
    init_template(tmp_path, "p")
    assert (tmp_path / "README.md").read_text() == "# mine"


def test_a_folder_that_holds_other_things_is_refused(tmp_path):
    table(tmp_path, "x", "notes.txt")
    with pytest.raises(Conflict, match=r"not empty: it holds notes\.txt"):
        init_template(tmp_path, "p")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# ------------------------------------------------------------------------------------------- from a table: real ones


def toy(tmp_path: Path, name: str) -> Path:
    bunch = getattr(datasets, f"load_{name}")()
    names = [str(one) for one in bunch.feature_names]
    target = bunch.target if name == "diabetes" else [str(bunch.target_names[label]) for label in bunch.target]
    frame = pl.DataFrame(bunch.data, schema=names).with_columns(pl.Series("target", target))
    frame.write_csv(tmp_path / f"{name}.csv")
    return tmp_path / f"{name}.csv"


@pytest.mark.parametrize(
    ("name", "problem", "gate"),
    [
        ("breast_cancer", "binary", "roc_auc over baseline"),
        ("wine", "multiclass", "log_loss over baseline"),
        ("iris", "multiclass", "log_loss over baseline"),
        ("diabetes", "regression", "r2 over baseline"),
    ],
)
def test_a_real_table_becomes_a_sound_project_of_its_kind(tmp_path, name, problem, gate):
    init_from_table(tmp_path / "p", toy(tmp_path, name), "target")
    canvas = load(tmp_path / "p")
    assert canvas.predict.problem == problem
    assert gate in [one.name for one in canvas.accept]
    assert canvas.predict.leave_out == ()
    source = canvas.data[canvas.predict.table]
    assert sources.read(source, tmp_path / "p")[0].height > 100


# -------------------------------------------------------------------------------------------- from a table: findings


def test_the_positive_label_is_the_one_that_means_yes(tmp_path):
    _, canvas = started(tmp_path, csv())
    assert (canvas.predict.problem, canvas.predict.positive) == ("binary", "yes")


def test_without_a_yes_the_rarer_label_is_positive(tmp_path):
    text = "x,y\n" + "".join(f"{number * 0.7},{'sick' if number % 4 == 0 else 'well'}\n" for number in range(200))
    assert started(tmp_path, text)[1].predict.positive == "sick"


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("region", "EU", "is always the same: EU"),
        ("notes", "", "has no value in any row"),
        ("person", lambda n: f"Mr {chr(65 + n % 26)}{chr(97 + n // 26)}", "names every row"),
        ("street", lambda n: f"Road {n * 2 // 3}", "different values in 200 rows"),
        ("row", lambda n: n, "numbers the rows"),
        ("seen", lambda n: f"0{1 + n % 9}/0{1 + n % 8}/2023", "more than one way"),
    ],
)  # fmt: skip
def test_a_column_that_tells_nothing_is_left_out_with_the_reason(tmp_path, name, make, reason):
    _, canvas = started(tmp_path, csv(**{name: make}))
    assert left_out(canvas) == (name,)
    (line,) = [line for line in canvas_text(tmp_path).splitlines() if line.strip().startswith(f"- {name}")]
    assert reason in line.partition("#")[2]


def test_a_column_that_gives_the_target_away_is_left_out(tmp_path):
    text = "x,refund,y\n" + "".join(f"{n % 7}{n % 13},{5 * (n % 2)},{n % 2}\n" for n in range(300))
    report, canvas = started(tmp_path, text)
    assert left_out(canvas) == ("refund",)
    assert any("'refund' tells the target almost alone" in note for note in report.notes)


def test_a_strong_column_stays_and_is_pointed_out(tmp_path):
    text = "hint,x,y\n" + "".join(f"{n % 2 + (n % 30 == 0)},{n * 0.37:.2f},{n % 2}\n" for n in range(300))
    report, canvas = started(tmp_path, text)
    assert left_out(canvas) == ()
    assert any("check that they are known in time" in note and "'hint'" in note for note in report.notes)


def test_an_identifier_names_the_rows(tmp_path):
    _, canvas = started(tmp_path, csv(customer_id=lambda n: f"C{n:04}"))
    assert canvas.predict.id == "customer_id"


def test_whole_numbers_that_never_repeat_are_no_identifier_without_the_name_of_one(tmp_path):
    _, canvas = started(tmp_path, csv(salary=lambda n: 20_000 + 37 * ((n * 7) % 200)))
    assert canvas.predict.id is None
    assert left_out(canvas) == ()


def test_a_moment_per_row_splits_by_time(tmp_path):
    _, canvas = started(tmp_path, csv(ordered_at=lambda n: f"2024-01-{1 + n % 28:02} 10:{n % 60:02}"))
    assert (canvas.predict.at, canvas.predict.split_by) == ("ordered_at", "time")
    assert canvas.data["t"].time == "ordered_at"


def test_a_date_of_birth_is_a_feature_and_no_moment(tmp_path):
    _, canvas = started(tmp_path, csv(birth_date=lambda n: f"19{50 + n % 40}-03-{1 + n % 28:02}"))
    assert (canvas.predict.at, canvas.predict.split_by) == (None, "random")


def test_a_moment_after_the_first_one_is_left_out(tmp_path):
    text = csv(delivered=lambda n: f"2024-02-{1 + n % 28:02}", ordered=lambda n: f"2024-01-{1 + n % 28:02}")
    _, canvas = started(tmp_path, text)
    assert canvas.predict.at == "ordered"
    assert left_out(canvas) == ("delivered",)


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (lambda n: f"2023/{1 + n % 12}/{1 + n % 28}", "2023-01-01"),
        (lambda n: f"{1 + n % 28}.{1 + n % 12}.2023", "2023-01-01"),
        (lambda n: f"{1 + n % 12}/{1 + n % 28}/23", "2023-01-01"),
        (lambda n: f"{('Jan', 'Feb', 'Mar')[n % 3]} {1 + n % 28} 2023", "2023-01-01"),
        (lambda n: f"{1 + n % 28}/{1 + n % 12}/2023 {n % 24:02}:15", "2023-01-01 00:15:00"),
    ],
)
def test_dates_in_other_spellings_become_times_by_a_data_py(tmp_path, make, first):
    _, canvas = started(tmp_path, csv(day=make))
    root = tmp_path / "project"
    frame, _ = sources.read(canvas.data["t"], root)
    clean, _ = cleaning.clean(canvas.data["t"], frame, load_code(root).functions("data")["clean_t"])
    assert canvas.predict.at == "day"
    assert str(clean["day"].min()).startswith(first)
    assert split.split(clean, canvas.predict, 7)[1].height > 0


def test_a_word_for_no_value_among_numbers_is_found(tmp_path):
    _, canvas = started(tmp_path, csv(age=lambda n: "?" if n % 9 == 0 else n % 50))
    frame, _ = sources.read(canvas.data["t"], tmp_path / "project")
    assert frame["age"].dtype == pl.Int64
    assert frame["age"].null_count() == 23


def test_the_heuristic_is_the_category_that_tells_most(tmp_path):
    rows = (f"{n * 0.37:.2f},{'uv'[n % 3 == 0]},{'ab'[(n % 10 < 7) ^ (n % 2)]},{n % 2}" for n in range(400))
    text = "\n".join(["x,other,kind,y", *rows]) + "\n"
    assert started(tmp_path, text)[1].train.baseline == "rate by kind"


@pytest.mark.parametrize("name", ["age group", "on", "a: b #c", " padded", "größe", "-dash", "[x]"])
def test_any_column_name_can_stand_in_the_canvas(tmp_path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    text = f"x,{quoted},y\n" + "".join(f"{n * 7 % 31},same,{n % 2}\n" for n in range(62))
    assert left_out(started(tmp_path, text)[1]) == (name,)


def test_a_small_table_is_copied_and_one_in_the_folder_stays(tmp_path):
    report, canvas = started(tmp_path, csv())
    assert canvas.data["t"].source == "data/t.csv"
    assert (tmp_path / "project/data/t.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()
    assert any("copied to data/t.csv" in note for note in report.notes)
    inside = init_from_table(tmp_path, tmp_path / "t.csv", "y")
    assert load(tmp_path).data["t"].source == "t.csv"
    assert inside.files == ("threefold.yaml",)


def test_a_large_table_is_referred_to_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("threefold.data.starting.COPIED_BYTES", 100)
    report, canvas = started(tmp_path, csv())
    assert canvas.data["t"].source == str(tmp_path / "t.csv")
    assert sources.read(canvas.data["t"], tmp_path / "project")[0].height == 200
    assert any("where it stays" in note for note in report.notes)


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "target", "what", "do"),
    [
        ("", "y", "is empty", "check"),
        ("x,y\n", "y", "has 0 rows", "check"),
        ("x,y\n1,yes\n2,no\n", "y", "has 2 different rows with a target, at least 20 are needed", "bring more rows"),
        (csv(), "yy", "has no column 'yy'", "did you mean 'y'?"),
        (csv(z="1"), "z", "the target 'z' is '1' in every row", "another outcome"),
        (csv(z=""), "z", "the target 'z' has no value in any row", "name another column"),
        (csv(z=lambda n: f"n{n}"), "z", "the target 'z' has 200 different labels", "check that this is the target"),
        (csv(z=lambda n: f"2024-01-{1 + n % 28:02}"), "z", "the target 'z' holds Date", "predict a number"),
        (csv(z=lambda n: int(n < 2)), "z", "only 2 rows have the target '1'", "bring more rows"),
        ("y\n" + "0\n1\n" * 50, "y", "no column but the target", "bring columns"),
        ("id,y\n" + "".join(f"{n},{n % 2}\n" for n in range(60)), "y", "is left to learn from", "'id' names the rows"),
        ("x,y\n1,2\n1,2,3\n", "y", "line 3 of table 't' has 3 fields", "quotes"),
        (b"x,y\n\x00\x01", "y", "is not text", "check"),
    ],
)
def test_a_table_that_cannot_start_a_project_is_refused_and_nothing_is_written(tmp_path, text, target, what, do):
    with pytest.raises(DataError) as caught:
        init_from_table(tmp_path / "project", table(tmp_path, text), target)
    assert what in caught.value.what
    assert do in caught.value.do
    assert not (tmp_path / "project").exists()


def test_a_missing_table_is_answered_with_the_nearest_file(tmp_path):
    table(tmp_path, csv(), "churn.csv")
    with pytest.raises(DataError, match=r"did you mean 'churn\.csv'"):
        init_from_table(tmp_path / "project", tmp_path / "chrn.csv", "y")


def test_a_database_address_is_no_file_to_start_from(tmp_path):
    with pytest.raises(DataError, match="this is an address") as caught:
        init_from_table(tmp_path / "project", Path("postgresql://anna:secret@host/db"), "y")
    assert "secret" not in str(caught.value)


def test_a_folder_that_holds_a_project_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "threefold.yaml").write_text("mine")
    for start in (lambda f: init_template(f, "p"), lambda f: init_from_table(f, table(tmp_path, csv()), "y")):
        with pytest.raises(Conflict, match="there is a project in this folder already"):
            start(tmp_path / "project")
    assert (tmp_path / "project" / "threefold.yaml").read_text() == "mine"


def test_a_file_of_the_same_name_is_not_overwritten(tmp_path):
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / "data" / "t.csv").write_text("mine")
    with pytest.raises(Conflict, match=r"'data/t\.csv' is there already"):
        init_from_table(tmp_path / "project", table(tmp_path, csv()), "y")
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["data"]


def test_a_disk_that_fills_up_leaves_no_half_a_project(tmp_path, monkeypatch):
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="No space left on device"):
        init_template(tmp_path / "p", "p")
    assert [path for path in (tmp_path / "p").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("folder", ["file", "below a file"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, folder):
    table(tmp_path, "x", "file")
    with pytest.raises(ThreefoldError):
        init_template(tmp_path / "file" if folder == "file" else tmp_path / "file" / "p", "p")


@pytest.mark.parametrize(("name", "plain"), [("a b", "a-b"), ("-x-", "x"), ("!!", "project"), ("ok_1.2", "ok_1.2")])
def test_a_project_name_is_made_to_fit(name, plain):
    assert named(name) == plain


@pytest.mark.parametrize(
    ("name", "table"), [("in.csv", "in_rows"), ("42.csv", "table"), ("Über-Daten.csv", "ber_daten")]
)
def test_a_table_name_is_one_that_python_takes(name, table):
    assert table_name(Path(name)) == table
