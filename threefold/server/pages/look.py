"""The templates, and what they all may use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from starlette.requests import Request

from threefold.governance.figures import count, listing, plural, size
from threefold.server.pages import static, words

HERE = Path(__file__).parent
# What a page says when something is done; its address only names the word, so that no link can put one into our mouth.
DONE = {
    "approve": "The version is approved.",
    "refuse": "The version is refused.",
    "reopen": "The version is a candidate again.",
    "retire": "The version is retired.",
    "release": "The version is released.",
    "alias": "The alias is moved.",
    "describe": "The description is kept.",
    "tag": "The tag is kept.",
    "untag": "The tag is taken away.",
    "delete": "It is deleted, and can be restored.",
    "restore": "It is back.",
    "rollback": "The version before answers again.",
    "stop": "Stopped: the fallback answers.",
    "resume": "The model answers again.",
}
THEMES = ("light", "dark")
PLACES = (("/", "Home"), ("/runs", "Runs"), ("/models", "Models"), ("/data", "Data"), ("/lineage", "Lineage"),
          ("/audit", "Audit"))  # fmt: skip


def render(template: str, request: Request, shown: Mapping[str, Any]) -> str:
    """One page as HTML."""
    theme = request.cookies.get("theme")
    return _environment().get_template(f"{template}.html.j2").render(
        **shown,
        here=request.url.path,
        places=PLACES,
        theme=theme if theme in THEMES else None,
        json_address=address(request.url.path, [*request.query_params.multi_items(), ("format", "json")]),
        done=DONE.get(request.query_params.get("done", "")),
        actor=request.app.state.context.store.acts_as(),
        server=str(request.base_url).rstrip("/"),
    )  # fmt: skip


def address(path: str, query: Mapping[str, Any] | list[tuple[str, Any]] | None = None) -> str:
    """A path with its query; parts that are empty are left out."""
    pairs = list(query.items()) if isinstance(query, Mapping) else query or []
    said = urlencode([(key, value) for key, value in pairs if value not in (None, "")])
    return f"{path}?{said}" if said else path


def part(text: Any) -> str:
    """A name as one part of a path: nothing in it is taken for a sign of the address, nor its end for a wish for JSON."""
    written = quote(str(text), safe="")
    return f"{written[:-5]}%2Ejson" if written.endswith(".json") else written


SUBJECTS = {"run ": "/runs/", "logged model ": "/logged-models/", "model ": "/models/"}


def page_of(subject: str) -> str | None:
    """Where the subject of an event can be looked at; None where it has no page.

    >>> page_of("model flight-delays/3"), page_of("endpoint flight-delays")
    ('/models/flight-delays/3', None)
    """
    for noun, place in SUBJECTS.items():
        name = subject.removeprefix(noun)
        if name and name != subject:
            return place + "/".join(part(piece) for piece in name.split("/"))
    return None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # bodies in JSON may miss any part, and a page is shown all the same
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": static.address, "address": address, "page_of": page_of}
    environment.filters |= {
        "bytes": size, "count": count, "listing": listing, "plural": plural, "part": part, **words.FILTERS,
    }  # fmt: skip
    return environment
