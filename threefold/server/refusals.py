"""Refusals over HTTP: the code, the status and the sentence that a client of the tracking protocol expects."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from threefold.errors import Conflict, DiskFull, NotFound, Refused, StoreError, ThreefoldError, Unavailable

STATUS = {
    "BAD_REQUEST": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "PERMISSION_DENIED": 403,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "RANGE_NOT_SATISFIABLE": 416,
    "INTERNAL_ERROR": 500,
    "INVALID_STATE": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,  # clients of MLflow try again by themselves
    "RESOURCE_EXHAUSTED": 507,  # and here they do not: a full disk stays full
}
_KINDS = (
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (Conflict, "RESOURCE_ALREADY_EXISTS"),
    (Refused, "PERMISSION_DENIED"),
    (DiskFull, "RESOURCE_EXHAUSTED"),
    (Unavailable, "TEMPORARILY_UNAVAILABLE"),
    (StoreError, "INTERNAL_ERROR"),
    (ThreefoldError, "INVALID_PARAMETER_VALUE"),
)
DOCS = "docs/tracking.md lists the routes with what they take"

logger = logging.getLogger(__name__)


class ProtocolError(ThreefoldError):
    """A refusal whose code the protocol prescribes.

    Attributes:
        code: one of STATUS, as in "INVALID_PARAMETER_VALUE".
        bare: the protocol prescribes the whole body: code and sentence, no word more.
    """

    def __init__(self, code: str, what: str, where: str = "the request", do: str = DOCS, *, bare: bool = False) -> None:
        super().__init__(what, where, do)
        self.code = code
        self.bare = bare


def invalid(what: str, where: str = "the request", do: str = DOCS) -> ProtocolError:
    """Something in a request cannot be used as it is."""
    return ProtocolError("INVALID_PARAMETER_VALUE", what, where, do)


def code_of(error: ThreefoldError) -> str:
    """The protocol's word for one of our refusals."""
    if isinstance(error, ProtocolError):
        return error.code
    return next(code for kind, code in _KINDS if isinstance(error, kind))


def sentence_of(error: ThreefoldError) -> str:
    """Our three parts in one text. MLflow's clients look for its own sentence in it, with its full stop."""
    return f"{error.what.rstrip('.')}. Where: {error.where}. What to do: {error.do}"


def refuse(error: Exception) -> tuple[int, bytes]:
    """Status and body that tell a client what went wrong. What nobody foresaw is logged with its trace."""
    if not isinstance(error, ThreefoldError):
        logger.error("a request failed", exc_info=error)
        error = ProtocolError(
            "INTERNAL_ERROR", f"Threefold itself failed: {type(error).__name__}: {error}", "the server",
            "its output has the trace; please report it",
        )  # fmt: skip
    code = code_of(error)
    if isinstance(error, ProtocolError) and error.bare:
        return STATUS[code], msgspec.json.encode({"error_code": code, "message": error.what})
    said: dict[str, Any] = {
        "error_code": code, "message": sentence_of(error), "what": error.what, "where": error.where, "do": error.do,
    }  # fmt: skip
    return STATUS[code], msgspec.json.encode(said)
