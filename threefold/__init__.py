"""Threefold: data, model and code, released as one.

The public API for notebooks, applications and project code. Names are loaded when they are first used, so that
`import threefold` costs next to nothing.

>>> import threefold
>>> threefold.view.__name__
'view'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threefold.errors import ThreefoldError
    from threefold.features.views import view
    from threefold.loop.loading import Model, load
    from threefold.loop.project import open_project
    from threefold.loop.track import track
    from threefold.store.recorder.run import Run

__all__ = ["Model", "Run", "ThreefoldError", "load", "open_project", "track", "view"]

_HOMES = {
    "Model": "threefold.loop.loading",
    "load": "threefold.loop.loading",
    "Run": "threefold.store.recorder.run",
    "ThreefoldError": "threefold.errors",
    "open_project": "threefold.loop.project",
    "track": "threefold.loop.track",
    "view": "threefold.features.views",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"threefold has no {name!r}; it exports {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)
