from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from threefold.design.canvas import Retraining
from threefold.loop.triggers import due
from threefold.records import Alert, utc_now

NOW = datetime(2026, 6, 1)
RETRAIN = Retraining(on=("decay", "calibration"), every=timedelta(days=60), cool_down=timedelta(days=14))


def alert(cause: str, severity: str = "page") -> Alert:
    return Alert("a", "e", cause, severity, f"{cause} by 0.2", 0.2, 0.1, "", "", "", "", utc_now())  # type: ignore[arg-type]


def test_an_open_page_that_the_canvas_names_turns_the_loop() -> None:
    found = due(RETRAIN, [alert("calibration")], NOW, NOW - timedelta(days=20))
    assert found is not None and found.on == "calibration"


@pytest.mark.parametrize("quiet", [alert("prediction drift"), alert("calibration", "digest")])
def test_other_causes_and_digests_do_not(quiet: Alert) -> None:
    assert due(RETRAIN, [quiet], NOW, NOW - timedelta(days=20)) is None


def test_nothing_turns_the_loop_during_the_cool_down() -> None:
    assert due(RETRAIN, [alert("decay")], NOW, NOW - timedelta(days=13)) is None


def test_age_alone_turns_it_when_the_schedule_says_so() -> None:
    found = due(RETRAIN, [], NOW, NOW - timedelta(days=60))
    assert found is not None and found.on == "schedule"


def test_new_data_counts_only_where_the_canvas_asks_for_it() -> None:
    assert due(RETRAIN, [], NOW, NOW - timedelta(days=20), new_data=True) is None
    asked = Retraining(on=("new data",))
    found = due(asked, [], NOW, NOW - timedelta(days=20), new_data=True)
    assert found is not None and found.on == "new data"
