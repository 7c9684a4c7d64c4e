"""What can be done with what is live: at once, and each undone by the other."""

from __future__ import annotations

from starlette.requests import Request

from threefold.server.pages.actions.form import Form, does
from threefold.server.pages.answer import store_of
from threefold.serving import routing


@does
def rollback(request: Request, form: Form) -> tuple[str, str]:
    """Let the version before answer again; ends a canary."""
    form.sure()
    routing.rollback(store_of(request), request.path_params["name"], form.reason())
    return "rollback", "/"


@does
def stop(request: Request, form: Form) -> tuple[str, str]:
    """The stop switch: the fallback answers."""
    form.sure()
    routing.stop(store_of(request), request.path_params["name"], form.reason())
    return "stop", "/"


@does
def resume(request: Request, form: Form) -> tuple[str, str]:
    """Let the model answer again."""
    routing.resume(store_of(request), request.path_params["name"], form.reason())
    return "resume", "/"
