"""Settings: one table of what can be tuned around a project. File, then environment, then flag."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from threefold.design.canvas import Canvas, Serving
from threefold.design.units import Unfit, money, quantity
from threefold.design.words import advise
from threefold.errors import NotFound, ThreefoldError
from threefold.store.database import without_secrets
from threefold.store.recorder.system import Price

PREFIX = "THREEFOLD_"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table. The environment variable is THREEFOLD_ and the name in capitals."""

    name: str
    default: str
    kind: Literal["text", "whole", "seconds", "switch", "money"]
    sentence: str  # what it does, with its unit

    @property
    def variable(self) -> str:
        """The environment variable.

        >>> find("store").variable
        'THREEFOLD_STORE'
        """
        return PREFIX + self.name.upper()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it holds now."""

    name: str
    value: str
    source: str  # default, threefold.yaml, the environment variable, or the flag
    sentence: str


TABLE = (
    Entry("store", ".threefold", "text", "Folder of the store; a relative one lies in the project."),
    Entry("catalogue", "", "text", "Address of the catalogue, as in postgresql://ada@db.example/threefold; empty: SQLite in the store's folder."),
    Entry("objects", "objects", "text", "Where the objects lie: a folder, relative to the store, or s3://bucket/prefix, gs://, az://."),
    Entry("host", "127.0.0.1", "text", "Address that the server listens on; others than this machine's open it to the network."),
    Entry("port", "8080", "whole", "TCP port of the server, 0 to 65535; 0 takes a free one. The canvas says it as serve.port."),
    Entry("up_port", "5000", "whole", "TCP port of `threefold up`, 0 to 65535; 0 takes a free one."),
    Entry("up_hosts", "", "text", "Names of a proxy on this machine, with blanks between, by which browsers may call `threefold up` beside localhost."),
    Entry("actor", "", "text", "Who is named in the event log; empty: the user of the operating system."),
    Entry("mlflow_python", "", "text", "The Python that opens models of MLflow clients which are no portable files: one with mlflow and what the model needs; empty: this one."),
    Entry("tracking", "", "text", "Where `threefold.track` logs to: the address of a `threefold up`, or a folder; empty: the project's store."),
    Entry("hourly_cost", "", "money", "What an hour of this machine costs, as in 0.40 EUR; each run then has a cost. Empty: only its seconds."),
    Entry("openlineage", "", "text", "Where runs are told as OpenLineage events: a file, or a URL; empty: nowhere."),
    Entry("separate_approvals", "0", "switch", "1: who trained or registered a version may not approve it; always so where the canvas says risk: high."),
    Entry("grace_days", "30", "whole", "Days for which what was deleted can be restored; after them `store gc` may remove it."),
    Entry("unused_days", "1", "whole", "Days for which an object stays that nothing refers to; `store gc` removes it after them."),
    Entry("traceback", "0", "switch", "1 shows the whole trace where an error was not foreseen."),
)  # fmt: skip


def find(name: str) -> Entry:
    """One row of the table. Raises NotFound with the nearest name."""
    known = {entry.name: entry for entry in TABLE}
    if name not in known:
        raise NotFound(f"there is no setting '{name}'", "settings", advise(name, known, "the settings are"))
    return known[name]


def fit(name: str, value: str) -> str:
    """A value, checked. Raises Unfit with what would be right."""
    kind = find(name).kind
    if kind == "whole" and not value.isdecimal():
        raise Unfit("a whole number, 0 or more")
    if kind == "whole" and name.endswith("port") and int(value) > 65_535:
        raise Unfit("a port from 0 to 65535")
    if kind == "seconds" and ((parts := quantity(value)) is None or parts[0] < 0 or parts[1] not in ("", "s")):
        raise Unfit("a number of seconds, 0 or more")
    if kind == "switch" and value.lower() not in ("0", "1"):
        raise Unfit("0 or 1")
    if kind == "money":
        money(value)
    return value


def resolve(canvas: Canvas | None, flags: Mapping[str, Any]) -> list[Setting]:
    """Every setting with its value, passwords hidden, and where that came from.

    Args:
        canvas: the project's, or None outside of a project.
        flags: what the command line was given; None counts as not given.
    Raises:
        NotFound: a flag is no setting.
        ThreefoldError: a value does not fit; says where it was set.
    """
    for name in flags:
        find(name)
    found = (_resolve(entry, canvas, flags.get(entry.name)) for entry in TABLE)
    return [replace(one, value=without_secrets(one.value)) for one in found]


def value_of(name: str, canvas: Canvas | None = None, flag: Any = None) -> str:
    """The value of one setting. Raises as `resolve`."""
    return _resolve(find(name), canvas, flag).value


def hand_down(name: str, canvas: Canvas) -> None:
    """Let what has no canvas, as a process that is started from here, see a setting of the canvas."""
    value = value_of(name, canvas)
    if value:
        os.environ[find(name).variable] = value


def price_of(canvas: Canvas | None) -> Price | None:
    """What an hour of this machine costs; None where nobody said."""
    return price(value_of("hourly_cost", canvas))


def price(text: str) -> Price | None:
    """The same from a text.

    >>> price("0.40 EUR")
    Price(hourly=0.4, currency='EUR')
    """
    return Price(*money(text)) if text else None


def _resolve(entry: Entry, canvas: Canvas | None, flag: Any) -> Setting:
    value, source = entry.default, "default"
    if canvas is not None and entry.name == "port" and canvas.serve.port != Serving().port:
        value, source = str(canvas.serve.port), canvas.file.name
    if canvas is not None and entry.name in canvas.settings:
        value, source = canvas.settings[entry.name], canvas.file.name
    if os.environ.get(entry.variable):
        value, source = os.environ[entry.variable], entry.variable
    if flag is not None:
        value, source = str(flag), f"--{entry.name.replace('_', '-')}"
    try:
        return Setting(entry.name, fit(entry.name, value) if value else value, source, entry.sentence)
    except Unfit as wrong:
        raise ThreefoldError(f"the setting '{entry.name}' is '{value}'", source, wrong.advice) from None
