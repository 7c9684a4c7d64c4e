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


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # bodies in JSON may miss any part, and a page is shown all the same
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": static.address, "address": address}
    environment.filters |= {
        "bytes": size, "count": count, "listing": listing, "plural": plural, "part": part, **words.FILTERS,
    }  # fmt: skip
    return environment
