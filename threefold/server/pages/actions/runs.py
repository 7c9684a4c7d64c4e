"""What can be done with a run."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from threefold.errors import DataError
from threefold.server.pages.actions.form import Form, does
from threefold.server.pages.answer import store_of
from threefold.server.pages.look import part
from threefold.server.pages.reading import one_run
from threefold.store import Writer
from threefold.store.tracking import checks, lifecycle
from threefold.store.tracking.lifecycle import NAME

NOTE = "mlflow.note.content"  # the tag in which MLflow's clients keep a description


@does
def delete(request: Request, form: Form) -> tuple[str, str]:
    """Take a run out of every list; it can be restored."""
    form.sure()
    reason = form.reason()
    return "delete", _change(request, lambda tx, run: lifecycle.set_deleted(tx, run, True, reason))


@does
def restore(request: Request, form: Form) -> tuple[str, str]:
    """Undo a deletion."""
    reason = form.reason()
    return "restore", _change(request, lambda tx, run: lifecycle.set_deleted(tx, run, False, reason))


@does
def describe(request: Request, form: Form) -> tuple[str, str]:
    """Name a run, and say in words what it is."""
    name, text = form.need("name", "the name of the run"), form.text("description")
    if len(text) > checks.TAG:
        raise DataError(f"a description has at most {checks.TAG:,} letters", form.where, "write it shorter")

    def change(tx: Writer, run: str) -> None:
        number = lifecycle.open_run(tx.connection, run).number
        lifecycle.set_tags(tx.connection, number, {NAME: name, NOTE: text})
        tx.event("run.described", f"run {run}", {"name": name, "description": text})

    return "describe", _change(request, change)


@does
def tag(request: Request, form: Form) -> tuple[str, str]:
    """Tag a run, or take a tag away."""
    key, value, gone = form.need("key", "the name of the tag"), form.text("value"), form.text("remove") == "1"
    checks.check_name(key, "key")
    checks.check_length(value, checks.TAG, "value")

    def change(tx: Writer, run: str) -> None:
        number = lifecycle.open_run(tx.connection, run).number
        if gone:
            lifecycle.delete_tag(tx.connection, run, number, key)
        else:
            lifecycle.set_tags(tx.connection, number, {key: value})
        tx.event("run.tagged", f"run {run}", {"key": key, "value": None if gone else value})

    return "untag" if gone else "tag", _change(request, change)


def _change(request: Request, change: Callable[[Writer, str], None]) -> str:
    """Change a run in one transaction; gives the address of its page."""
    store = store_of(request)
    with store.write() as tx:
        run = one_run.find(tx.connection, request.path_params["id"]).id
        change(tx, run)
    return f"/runs/{part(run)}"
