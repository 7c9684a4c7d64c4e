"""A script logs to where the project around it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import threefold
from threefold.design.settings import TABLE
from threefold.loop.track import place_of
from threefold.pipeline import runs
from threefold.store import Store
from threefold.store.recorder.system import Price

CANVAS = "threefold: 1\nproject: p\ndata: {t: t.csv}\npredict: {target: y}\nsettings:\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, in a folder of which the script works."""
    for entry in TABLE:
        monkeypatch.delenv(entry.variable, raising=False)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def say(root: Path, **settings: str) -> None:
    lines = [f"  {name}: {value}\n" for name, value in settings.items()]
    (root / "threefold.yaml").write_text(CANVAS + "".join(lines or ["  {}\n"]))


def test_without_a_project_a_store_is_made_here(root: Path) -> None:
    assert place_of().address == str(root / "notebooks" / ".threefold")


def test_the_settings_of_the_project_say_where_its_parts_lie(root: Path) -> None:
    say(root, store="memory", catalogue="postgresql://db.example/p", objects="s3://bucket/p", hourly_cost="0.40 EUR")
    place = place_of()
    assert (place.address, place.url, place.objects) == (
        str(root / "memory"), "postgresql://db.example/p", "s3://bucket/p",
    )  # fmt: skip
    assert place.price == Price(0.4, "EUR")


def test_another_store_has_everything_inside(root: Path) -> None:
    say(root, catalogue="postgresql://db.example/p")
    place = place_of(root / "other")
    assert (place.address, place.url, place.objects) == (str(root / "other"), None, None)


def test_the_setting_tracking_names_a_server(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(root, tracking="http://127.0.0.1:5000")
    monkeypatch.setenv("THREEFOLD_SPOOL", str(root / "spools"))
    assert place_of().address == "http://127.0.0.1:5000"
    assert place_of().spools == root / "spools" / "127-0-0-1-5000"
    monkeypatch.setenv("THREEFOLD_TRACKING", "http://127.0.0.1:6000")
    assert place_of().address == "http://127.0.0.1:6000"
    assert place_of("http://127.0.0.1:7000").address == "http://127.0.0.1:7000"


def test_a_canvas_that_cannot_be_used_still_says_where_the_store_is(root: Path) -> None:
    (root / "threefold.yaml").write_text(CANVAS.replace("predict", "perdict") + "  store: memory\n")
    assert place_of().address == str(root / "memory")


def test_a_run_costs_what_the_project_says(root: Path) -> None:
    say(root, hourly_cost="3600 EUR")
    with threefold.track("p", console=False, system=False) as run:
        pass
    store = Store.open(root / ".threefold")
    values = runs.metrics_of(store, run.id)
    assert values["cost"] == pytest.approx(values["system/wall_seconds"])
    assert runs.get(store, run.id).tags["cost.currency"] == "EUR"
    store.close()


def test_sync_delivers_to_where_the_project_says(root: Path) -> None:
    say(root, store="memory")
    code = "import os, threefold; r = threefold.track('p'); r.metrics({'m': 1.0}); print(r.id, flush=True); os._exit(1)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    done = subprocess.run(
        [sys.executable, "-m", "threefold", "sync"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert told.stdout[:8] in done.stdout
    store = Store.open(root / "memory")
    assert runs.metrics_of(store, told.stdout.strip())["m"] == 1.0
    store.close()
