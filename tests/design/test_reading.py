"""The canvas is read whole, and everything that is wrong with it is said at once."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.design.canvas import Canvas, CommandStep, Source
from threefold.design.reading import load, parse
from threefold.errors import CanvasError, Finding

FULL = """\
threefold: 1
project: flight-delays
value:
  for: airport operations
  need: re-plan gates
  benefit: know it in time
  mistakes: {false_positive: 40 USD, false_negative: 250 USD}
  risk: minimal
data:
  flights:
    source: data/flights.parquet
    time: scheduled_departure
    key: [flight, day]
    owner: ops-data
    later: {arrived_at: [arr_delay, late], departed_at: dep_delay}
    nulls: ["", NA]
  weather: "postgresql://host/weather"
predict:
  table: flights
  target: late
  problem: binary
  positive: yes
  at: scheduled_departure
  ahead: 2 h
  split: {by: time, test: 10%}
  leave out: [tailnum]
  id: flight
train:
  baseline: rate by carrier
  candidates: [linear, boosting]
  budget: 2 min
  metric: roc auc
  folds: 4
  seed: 11
  window: 26 weeks
accept:
  roc_auc: ">= 0.70"
  cost per prediction: "<= 12 USD"
serve: {pattern: service, rollout: canary 5% 25% 100%, port: 9000, min requests: 50}
watch: {window: 1 day, drift: 0.25, roc_auc drop: 0.05, calibration: off, persist: 3 of 4, min rows: 20, notify: [console]}
retrain: {on: [drift, decay, new data], every: 30 days, cool down: 7 days}
steps:
  prepare: {run: "Rscript prepare.R {flights} {out}", inputs: [flights], outputs: [out.csv], code: prepare.R, table: {prepared: out.csv}}
settings: {actor: robot}
"""
SMALL = "threefold: 1\nproject: p\ndata: {t: t.csv}\npredict: {target: y}\n"


def read(text: str, root: Path = Path("/nowhere")) -> Canvas:
    return parse(text, root / "threefold.yaml")


def findings(text: str, root: Path = Path("/nowhere")) -> list[tuple[str, str, str]]:
    with pytest.raises(CanvasError) as caught:
        read(text, root)
    return [(found.where, found.what, found.do) for found in caught.value.findings]


def only(text: str) -> tuple[str, str, str]:
    (found,) = findings(text)
    return found


def test_every_block_of_a_full_canvas_is_read():
    canvas = read(FULL)
    assert canvas.project == "flight-delays"
    assert (canvas.value.mistakes, canvas.value.currency) == ({"false_positive": 40.0, "false_negative": 250.0}, "USD")
    assert canvas.data["flights"] == Source(
        "flights", "data/flights.parquet", "scheduled_departure",
        {"arrived_at": ("arr_delay", "late"), "departed_at": ("dep_delay",)}, ("flight", "day"), "ops-data", ("", "NA"),
    )  # fmt: skip
    assert canvas.data["weather"] == Source("weather", "postgresql://host/weather")
    predict = canvas.predict
    assert (predict.positive, predict.ahead, predict.split_by) == ("yes", timedelta(hours=2), "time")
    assert (predict.test_share, predict.leave_out, predict.id) == (0.1, ("tailnum",), "flight")
    train = canvas.train
    assert (train.baseline, train.budget_s, train.metric) == ("rate by carrier", 120.0, "roc_auc")
    assert (train.folds, train.seed, train.window) == (4, 11, timedelta(weeks=26))
    assert [(gate.name, gate.limit, gate.unit) for gate in canvas.accept] == [
        ("roc_auc", 0.7, ""), ("cost per prediction", 12.0, "USD"),
    ]  # fmt: skip
    assert (canvas.serve.rollout, canvas.serve.port, canvas.serve.min_requests) == ((0.05, 0.25, 1.0), 9000, 50)
    watch = canvas.watch
    assert (watch.drops, watch.calibration, watch.persist) == ({"roc_auc": 0.05}, None, (3, 4))
    assert canvas.retrain.on == ("drift", "decay", "new data")
    assert canvas.retrain.cool_down == timedelta(days=7)
    assert canvas.steps == (
        CommandStep("prepare", "Rscript prepare.R {flights} {out}", ("flights",), ("out.csv",), ("prepare.R",), "prepared: out.csv"),
    )  # fmt: skip
    assert canvas.settings == {"actor": "robot"}


def test_four_lines_are_a_canvas_and_conventions_fill_the_rest():
    canvas = read(SMALL)
    assert canvas.predict.table == "t"
    assert (canvas.predict.split_by, canvas.predict.test_share) == ("random", 0.2)
    assert canvas.train.candidates == ("linear", "boosting")
    assert canvas.accept == ()


def test_a_prediction_with_a_moment_is_split_by_time():
    assert read(SMALL.replace("target: y", "target: y, at: day")).predict.split_by == "time"


def test_the_split_may_be_one_word():
    assert read(SMALL.replace("target: y", "target: y, at: day, split: random")).predict.split_by == "random"


def test_keys_may_be_written_with_underscores():
    assert read(SMALL + "retrain: {cool_down: 3 days}\n").retrain.cool_down == timedelta(days=3)


def test_all_findings_come_at_once_in_the_order_of_the_lines():
    text = FULL.replace("budget: 2 min", "budget: 2 mn").replace("canary", "cannary").replace("every:", "evry:")
    where = [int(place.rpartition(":")[2]) for place, _, _ in findings(text)]
    assert where == sorted(where)
    assert len(where) == 3


@pytest.mark.parametrize(
    ("line", "what", "do"),
    [
        ("train: {candidats: [linear]}", "'train' has no key 'candidats'", "did you mean 'candidates'?"),
        ("baseline: prior", "the canvas has no key 'baseline'", "it belongs below 'train'"),
        ("train: {budget: 2 mn}", "'train.budget' is '2 mn'", "did you mean '2 min'?"),
        ("train: {budget: soon}", "'train.budget' is 'soon'", "write a duration such as"),
        ("train: {budget: -2 min}", "'train.budget' is '-2 min'", "write a duration such as"),
        ("train: {budget: 0 s}", "'train.budget' is '0 s'", "write a duration such as"),
        ("train: {folds: two}", "'train.folds' is 'two'", "write a whole number from 2 to 100"),
        ("train: {folds: 1}", "'train.folds' is '1'", "write a whole number from 2 to 100"),
        ("train: {candidates: []}", "'train.candidates' is empty", "name at least one"),
        ("train: [linear]", "'train' is a list", "write keys with values below it"),
        ("train: {budget: }", "'train.budget' has no value", "give it one, or remove the key"),
        ("train: {baseline: 50 %}", "'train.baseline' is '50 %'", "write 'prior', 'rate by <column>'"),
        ("train: {baseline: carrier_rate}", "no function of model.py is named 'carrier_rate'", "prior, rate by <column>"),
        ("train: {baseline: piror}", "no function of model.py is named 'piror'", "did you mean 'prior'?"),
        ("train: {candidates: [linaer]}", "no candidate is named 'linaer'", "did you mean 'linear'?"),
        ("train: {metric: roc_auk}", "'train.metric' is 'roc_auk'", "did you mean 'roc_auc'?"),
        ("value: {mistakes: {false_positive: much}}", "'value.mistakes.false_positive' is 'much'", "write an amount of money such as 40 USD"),
        ("value: {mistakes: {false_positive: 4 USD, false_negative: 5 EUR}}", "two currencies: EUR and USD", "one currency"),
        ("value: {risk: hihg}", "'value.risk' is 'hihg'", "did you mean 'high'?"),
        ("accept: {roc_auk: '>= 0.7'}", "'accept' has no gate 'roc_auk'", "did you mean 'roc_auc'?"),
        ("accept: {roc_auc: 0.7}", "'accept.roc_auc' is '0.7'", '">= 0.7" or "<= 0.7"'),
        ("accept: {cost per prediction: '<= 3 USD'}", "needs to know what a mistake costs", "add value.mistakes"),
        ("serve: {rollout: canary 5% 25%}", "'serve.rollout' is 'canary 5% 25%'", "end with 100%"),
        ("serve: {port: 99999}", "'serve.port' is '99999'", "from 0 to 65535"),
        ("watch: {rocauc drop: 0.1}", "'watch.rocauc drop' names no metric", "did you mean 'roc_auc drop'?"),
        ("watch: {persist: 4 of 3}", "'watch.persist' is '4 of 3'", "such as 2 of 3"),
        ("retrain: {on: [new dta]}", "'retrain.on' is 'new dta'", "did you mean 'new data'?"),
        ("steps: {s: {outputs: [a]}}", "'steps.s.run' is missing", "add a line such as"),
        ("steps: {s: {run: x, outputs: [a.csv], table: {t2: b.csv}}}", "'b.csv', which is no output", "did you mean 'a.csv'?"),
        ("settings: {prt: 1}", "there is no setting 'prt'", "did you mean 'port'?"),
        ("settings: {port: many}", "'settings.port' is 'many'", "write a whole number"),
        ("project: q", "'project' stands twice, first on line 2", "keep one of the two"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_answered_with_its_number_and_the_next_step(line: str, what: str, do: str):
    where, said, advice = only(SMALL + line + "\n")
    assert where == "threefold.yaml:5"
    assert what in said
    assert do in advice


@pytest.mark.parametrize(
    ("predict", "what", "do"),
    [
        ("{target: y, table: tt}", "'predict.table' is 'tt'", "did you mean 't'?"),
        ("{taget: y}", "'predict' has no key 'taget'", "did you mean 'target'?"),
        ("{}", "'predict.target' is missing", "add a line such as `target: churned`"),
        ("{target: y, split: {test: 120%}}", "'predict.split.test' is '120%'", "write a share"),
        ("{target: y, split: {test: 20}}", "'predict.split.test' is '20'", "did you mean '20%'?"),
        ("{target: y, split: {by: time}}", "a split by time needs the moment", "add `at:"),
        ("{target: y, ahead: 2 h}", "'predict.ahead' needs a moment", "add `at:"),
        ("{target: y, leave out: [y]}", "names the target 'y'", "remove it here"),
        ("{target: [y]}", "'predict.target' is a list", "write a single text"),
    ],
)
def test_a_wrong_prediction_is_answered_with_the_next_step(predict: str, what: str, do: str):
    where, said, advice = only(SMALL.replace("{target: y}", predict))
    assert where == "threefold.yaml:4"
    assert what in said
    assert do in advice


@pytest.mark.parametrize(
    ("text", "line", "what", "do"),
    [
        ("", 1, "the canvas is empty", "threefold init"),
        ("# nothing yet\n", 1, "the canvas is empty", "threefold init"),
        ("a: [\n", 2, "this is not YAML", "check the indentation"),
        ("- a\n- b\n", 1, "this is a list", "begin it with"),
        ("just a text\n", 1, "'just a text'", "begin it with"),
        ("accept:\n  roc_auc: >= 0.7\n", 2, "this is not YAML", 'put the limit in quotes: ">= 0.7"'),
        ("train:\n\tfolds: 2\n", 2, "this is not YAML", "indent with spaces"),
        ("a: 1\n---\nb: 2\n", 2, "this is not YAML", "check"),
        ("a: 1\nb: \x01\n", 2, "a character that cannot stand in a text", "UTF-8"),
        ("threefold: 2\nall: new\n", 1, "of version 2, and this Threefold reads up to version 1", "install a newer"),
        (SMALL.replace("threefold: 1", "threefold: one"), 1, "'threefold' is 'one'", "`threefold: 1`"),
        (SMALL.replace("threefold: 1\n", ""), 1, "does not say its version", "`threefold: 1`"),
        (SMALL.replace("data: {t: t.csv}\n", ""), 1, "names no table", "data: {"),
        (SMALL.replace("{t: t.csv}", "{t.x: t.csv}"), 3, "'t.x' cannot name a table", "'t_x'"),
        (SMALL.replace("{t: t.csv}", "t.csv"), 3, "'data' is 't.csv'", "write keys with values"),
        (SMALL.replace("project: p", "project: my project"), 2, "'my project'", "did you mean 'my-project'?"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_canvas_is_answered_with_its_line(text: str, line: int, what: str, do: str):
    where, said, advice = only(text)
    assert where == f"threefold.yaml:{line}"
    assert what in said
    assert do in advice


def test_a_table_that_a_step_makes_may_be_predicted(tmp_path: Path):
    (tmp_path / "steps.py").write_text("def joined(t):\n    return t\n")
    assert read(SMALL.replace("target: y", "target: y, table: joined"), tmp_path).predict.table == "joined"


def test_a_check_of_the_project_may_be_a_gate(tmp_path: Path):
    (tmp_path / "checks.py").write_text("def calm_on_holidays(test):\n    return 0.9\n")
    (gate,) = read(SMALL + 'accept: {calm_on_holidays: ">= 0.5"}\n', tmp_path).accept
    assert gate.metric == "calm_on_holidays"


def test_what_model_py_offers_may_be_baseline_and_candidate(tmp_path: Path):
    (tmp_path / "model.py").write_text("def usual_rate(training): ...\nclass Forest: ...\n")
    train = "train: {baseline: usual_rate, candidates: [linear, Forest]}\n"
    assert read(SMALL + train, tmp_path).train.candidates == ("linear", "Forest")
    ((_, what, do),) = findings(SMALL + train.replace("usual_rate", "usul_rate"), tmp_path)
    assert "'usul_rate'" in what
    assert "did you mean 'usual_rate'?" in do


def test_a_model_py_that_is_no_python_is_left_to_its_import(tmp_path: Path):
    (tmp_path / "model.py").write_text("def usual_rate(:\n")
    assert read(SMALL + "train: {baseline: usual_rate}\n", tmp_path).train.baseline == "usual_rate"


def test_a_canvas_is_loaded_with_the_digest_of_its_bytes(tmp_path: Path):
    (tmp_path / "threefold.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    first = load(tmp_path)
    (tmp_path / "threefold.yaml").write_text(SMALL)
    assert first.predict == load(tmp_path).predict
    assert first.digest != load(tmp_path).digest


@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1"])
def test_a_file_that_cannot_be_read_is_refused_with_the_next_step(tmp_path: Path, kind: str):
    file = tmp_path / "threefold.yaml"
    if kind == "folder":
        file.mkdir()
    if kind == "latin-1":
        file.write_bytes("threefold: 1\nproject: café\n".encode("latin-1"))
    with pytest.raises(CanvasError) as caught:
        load(tmp_path)
    (found,) = caught.value.findings
    assert found.where == ("threefold.yaml:2" if kind == "latin-1" else "threefold.yaml")
    assert found.do


@settings(max_examples=300)
@given(
    st.text(max_size=80) | st.builds(lambda a, b: FULL[:a] + b + FULL[a:], st.integers(0, 1200), st.text(max_size=4))
)
def test_whatever_is_written_is_read_or_answered_with_findings(text: str):
    found: tuple[Finding, ...] = ()
    try:
        read(text)
    except CanvasError as error:
        found = error.findings or (Finding("", "", ""),)
    assert all(one.what and one.do and one.where.startswith("threefold.yaml:") for one in found)
