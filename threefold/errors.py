"""Every way Threefold says no: what happened, where, and what to do about it.

Takes     nothing; the bottom of the house.
Hands on  ThreefoldError and its kinds, shown alike by the command line, the API and the pages.
Start in  ThreefoldError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in something a person wrote or handed in.

    Args:
        what: one sentence, without a full stop.
        where: file and line, table and column, or address.
        do: the next step for the reader.
    """

    what: str
    where: str
    do: str


class ThreefoldError(Exception):
    """A refusal with its three answers.

    Attributes:
        what: what is wrong, in one sentence without a full stop.
        where: the place: file and line, table and column, address, store.
        do: what the reader can do next.
        exit_code: what the command line returns: 1 "the answer is no", 2 "the call or its input is wrong".

    >>> str(ThreefoldError("no table is named 'fligths'", "threefold.yaml:7", "did you mean 'flights'?"))
    "no table is named 'fligths' (threefold.yaml:7); did you mean 'flights'?"
    """

    exit_code = 2

    def __init__(self, what: str, where: str, do: str) -> None:
        super().__init__(what, where, do)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} ({self.where}); {self.do}"


class CanvasError(ThreefoldError):
    """The canvas is wrong; carries every finding at once."""

    def __init__(self, findings: Sequence[Finding], where: str) -> None:
        count = len(findings)
        super().__init__(
            f"the canvas has {count} finding{'s' if count != 1 else ''}", where, "mend them and run the command again"
        )
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(f"{f.where}: {f.what}; {f.do}" for f in self.findings)


class DataError(ThreefoldError):
    """A source, table or value cannot be used as it is."""


class LeakError(DataError):
    """A feature would use what is not known when the prediction is made."""


class NotFound(ThreefoldError):
    """Something that was named does not exist."""


class Conflict(ThreefoldError):
    """Somebody else holds it: a second run, a port in use, a name that is taken."""


class StoreError(ThreefoldError):
    """The memory cannot be read or written: no rights, newer format, damaged object."""


class DiskFull(StoreError):
    """There is no room. Nothing half-written stays; it goes on when there is room again."""


class Unavailable(StoreError):
    """The memory cannot be reached now: busy, starting again, network away. Trying again later helps."""


class StepFailed(ThreefoldError):
    """A step of the graph, or a function of the project, raised."""

    exit_code = 1


class GateFailed(ThreefoldError):
    """A release gate says no; carries what every gate said, where that is known."""

    exit_code = 1

    def __init__(self, what: str, where: str, do: str, results: Sequence[Any] = ()) -> None:
        super().__init__(what, where, do)
        self.results = tuple(results)  # records.GateResult


class Refused(ThreefoldError):
    """It would not be safe or allowed: an untrusted pickle, a release without approval."""

    exit_code = 1
