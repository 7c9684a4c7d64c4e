"""What can be done with a model and its versions."""

from __future__ import annotations

from starlette.requests import Request

from threefold.design.canvas import Canvas
from threefold.errors import CanvasError, DataError, Refused
from threefold.loop.operating import canvas_for, duties_are_separate
from threefold.loop.project import Project
from threefold.records import ModelVersion
from threefold.registry import aliases, approvals, deletion, evidence, notes, versions
from threefold.server.pages.actions.form import Form, does
from threefold.server.pages.answer import store_of
from threefold.server.pages.look import part


@does
def approve(request: Request, form: Form) -> tuple[str, str]:
    """Let a version go to production. Where duties are separate, who made it may not; over a gate's no only on purpose."""
    version = _version(request)
    if any(not one.result.passed for one in evidence.newest(store_of(request), _label(version))):
        form.sure()
    by = form.text("by") or store_of(request).acts_as()
    approvals.approve(store_of(request), version, by, form.reason(), separate=_separate(request))
    return "approve", page_of(version)


@does
def refuse(request: Request, form: Form) -> tuple[str, str]:
    """Say no to a version."""
    version = _version(request)
    approvals.refuse(store_of(request), version, form.reason())
    return "refuse", page_of(version)


@does
def reopen(request: Request, form: Form) -> tuple[str, str]:
    """Look at a refused or retired version again."""
    version = _version(request)
    versions.set_status(store_of(request), version.name, version.number, "candidate", form.reason())
    return "reopen", page_of(version)


@does
def retire(request: Request, form: Form) -> tuple[str, str]:
    """Say that a version is no longer for use."""
    version = _version(request)
    form.sure()
    deletion.retire(store_of(request), version.name, version.number, form.reason())
    return "retire", page_of(version)


@does
def release(request: Request, form: Form) -> tuple[str, str]:
    """Let an approved version answer, with the rollout that the canvas of its project asks for."""
    from threefold.loop.releasing import release_version  # NumPy, 80 ms: signing looks into the bundle

    version = _version(request)
    form.sure()
    reason, root, canvas = form.reason(), request.app.state.context.project, _canvas(request)
    if root is None or canvas is None:
        raise Refused(
            "this server knows no project, so no rollout either", form.where,
            f"in the project's folder: threefold release deploy {version.number}; or start threefold up there",
        )  # fmt: skip
    release_version(Project(root, canvas, store_of(request)), version, reason)
    return "release", page_of(version)


@does
def delete(request: Request, form: Form) -> tuple[str, str]:
    """Take a version out of every list; it can be restored."""
    version = _version(request)
    form.sure()
    deletion.delete(store_of(request), version.name, version.number, form.reason())
    return "delete", page_of(version)


@does
def restore(request: Request, form: Form) -> tuple[str, str]:
    """Undo a deletion."""
    name, number = request.path_params["name"], request.path_params["number"]
    deletion.restore(store_of(request), name, number, form.reason())
    return "restore", f"/models/{part(name)}/{number}"


@does
def describe(request: Request, form: Form) -> tuple[str, str]:
    """Say in words what a model or a version is."""
    name, number = _named(request)
    notes.describe(store_of(request), name, number, form.text("description"))
    return "describe", _page(name, number)


@does
def tag(request: Request, form: Form) -> tuple[str, str]:
    """Tag a model or a version, or take a tag away."""
    name, number = _named(request)
    gone = form.text("remove") == "1"
    notes.tag(
        store_of(request), name, number, form.need("key", "the name of the tag"), None if gone else form.text("value")
    )
    return "untag" if gone else "tag", _page(name, number)


@does
def alias(request: Request, form: Form) -> tuple[str, str]:
    """Let an alias point at a version, or take it away."""
    store, name = store_of(request), request.path_params["name"]
    called, reason, number = form.need("alias", "the alias"), form.reason(), form.text("number")
    if form.text("remove") == "1":
        aliases.remove(store, name, called, reason)
    elif number.isdecimal() and len(number) < 10:
        aliases.point(store, name, called, int(number), reason)
    else:
        raise DataError(f"{number!r} is no version", form.where, "give the number of a version")
    back = form.text("page")  # where the form stood: on the page of the model, or of the version
    return "alias", _page(name, int(back) if back.isdecimal() and len(back) < 10 else None)


def _label(version: ModelVersion) -> str:
    return versions.subject(version.name, version.number)


def page_of(version: ModelVersion) -> str:
    """The page of a version."""
    return _page(version.name, version.number)


def _page(name: str, number: int | None) -> str:
    return f"/models/{part(name)}" if number is None else f"/models/{part(name)}/{number}"


def _named(request: Request) -> tuple[str, int | None]:
    return request.path_params["name"], request.path_params.get("number")


def _version(request: Request) -> ModelVersion:
    return versions.get(store_of(request), request.path_params["name"], request.path_params["number"])


def _canvas(request: Request) -> Canvas | None:
    """The canvas to go by; None where there is no project, or nothing to read of it."""
    root = request.app.state.context.project
    try:
        return canvas_for(root, store_of(request)) if root else None
    except CanvasError:
        return None


def _separate(request: Request) -> bool:
    root, canvas = request.app.state.context.project, _canvas(request)
    if root is not None and canvas is None and (root / "threefold.yaml").is_file():
        return True  # nobody can say what its risk is
    return duties_are_separate(canvas, canvas.project if canvas else "")
