"""Settings: file, then environment, then flag; and each says where it came from."""

from pathlib import Path

import pytest

from threefold.design.reading import parse
from threefold.design.settings import TABLE, resolve, value_of
from threefold.errors import NotFound, ThreefoldError

CANVAS = (
    "threefold: 1\nproject: p\ndata: {t: t.csv}\npredict: {target: y}\nserve: {port: 9001}\nsettings: {actor: robot}\n"
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for entry in TABLE:
        monkeypatch.delenv(entry.variable, raising=False)


def test_a_later_place_wins_and_is_named(monkeypatch: pytest.MonkeyPatch):
    canvas = parse(CANVAS, Path("/nowhere/threefold.yaml"))
    monkeypatch.setenv("THREEFOLD_HOST", "0.0.0.0")
    monkeypatch.setenv("THREEFOLD_STORE", "/elsewhere")
    found = {one.name: (one.value, one.source) for one in resolve(canvas, {"store": "/mine", "port": None})}
    assert found["actor"] == ("robot", "threefold.yaml")
    assert found["port"] == ("9001", "threefold.yaml")
    assert found["host"] == ("0.0.0.0", "THREEFOLD_HOST")
    assert found["store"] == ("/mine", "--store")
    assert found["traceback"] == ("0", "default")


def test_what_the_canvas_does_not_say_is_the_default():
    canvas = parse(CANVAS.replace("serve: {port: 9001}\n", ""), Path("/nowhere/threefold.yaml"))
    assert {one.name: (one.value, one.source) for one in resolve(canvas, {})}["port"] == ("8080", "default")


def test_settings_hold_outside_of_a_project():
    assert value_of("port") == "8080"


def test_a_value_that_does_not_fit_is_refused_at_its_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("THREEFOLD_PORT", "many")
    with pytest.raises(ThreefoldError) as caught:
        resolve(None, {})
    assert caught.value.where == "THREEFOLD_PORT"
    assert "whole number" in caught.value.do


def test_a_flag_that_is_no_setting_is_answered_with_the_nearest():
    with pytest.raises(NotFound, match="did you mean 'store'"):
        resolve(None, {"stor": "x"})


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
def test_every_setting_says_what_it_does(entry: object):
    assert getattr(entry, "sentence", "").endswith(".")


def test_a_password_in_a_setting_is_used_but_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("THREEFOLD_CATALOGUE", "postgresql://ada:lovelace@db.example/flights")
    found = {one.name: one.value for one in resolve(None, {})}
    assert found["catalogue"] == "postgresql://ada:***@db.example/flights"
    assert value_of("catalogue") == "postgresql://ada:lovelace@db.example/flights"
