"""What a training script holds: a run to which it logs, and which never makes it wait.

>>> import tempfile, threefold
>>> with threefold.track("churn", to=tempfile.mkdtemp(), console=False, system=False) as run:
...     run.params({"depth": 3})
...     for step in range(3):
...         run.metrics({"loss": 1 / (step + 1)}, step=step)
>>> run.delivered
True
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path, PurePosixPath
from socket import gethostname
from types import TracebackType
from typing import Any, Self

from threefold.errors import DataError, ThreefoldError
from threefold.records import now_ms, plain
from threefold.store.recorder import spool, surroundings
from threefold.store.recorder.console import NAME, Copied
from threefold.store.recorder.shipping import Shipper, Target
from threefold.store.recorder.system import Meter, Price, Watching, currency_of
from threefold.store.store import new_id

END_TIMEOUT_S = 20.0  # how long a script that has ended waits for the delivery; the spool keeps what is left
KEY_LETTERS, PARAM_LETTERS, TAG_LETTERS = 250, 6000, 8000


class Run:
    """One run of a script. Use it with `with`; or call `finish`.

    Promises: each call returns as soon as what it was given is with the operating system, whether the store can be
    reached or not; it is delivered in the background, in order and once, and survives the death of the process.

    Attributes:
        id: 32 hex letters.
        target: where it goes, as people are told.
    """

    def __init__(
        self, experiment: str, target: Target, root: Path, *, name: str = "", parent: str | None = None,
        seed: int | None = None, console: bool = True, system: bool = True, price: Price | None = None,
    ) -> None:  # fmt: skip
        self.id = new_id()
        self._meter = Meter(price)
        self._target = target
        self.target = target.name
        self._spool = spool.Spool(root / self.id)
        self._shipper = Shipper(self._spool.folder, target)
        self._ended = False
        self.left: threading.Thread | None = None  # brings along what earlier runs left behind
        self._start(experiment, name, parent, seed)
        self._console = Copied(self._spool.folder / NAME) if console else None
        self._watching = Watching(self._look, Path.cwd() if system else None)

    def params(self, values: Mapping[str, Any]) -> None:
        """Say with which parameters the script runs; a text stays as it is, anything else is kept as JSON."""
        self._say({"is": "params", "values": _texts(values, PARAM_LETTERS, "parameter")})

    def tags(self, values: Mapping[str, Any]) -> None:
        """Put names on the run by which people find it again."""
        self._say({"is": "tags", "values": _texts(values, TAG_LETTERS, "tag")})

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Log numbers at a step; NaN and infinity are numbers, too."""
        for name, value in values.items():
            _check_key(name, "metric")
            if not isinstance(value, int | float) and not hasattr(value, "__float__"):
                raise DataError(f"the metric {name!r} is {type(value).__name__}, not a number", "track", "log a number")
        numbers = {name: _number(float(value)) for name, value in values.items()}
        self._say({"is": "metrics", "values": numbers, "step": _step(step), "at_ms": now_ms()})

    def file(self, source: str | Path | bytes, name: str | None = None) -> None:
        """Keep a file, or some bytes, with the run, as they are at this moment.

        Args:
            name: its path within the run, as in "plots/roc.png"; default: the name of the file.
        """
        if isinstance(source, bytes) and not name:
            raise DataError("the bytes have no name", "track", "say which: run.file(data, 'model.pkl')")
        content = source if isinstance(source, bytes) else Path(source)
        if isinstance(content, Path) and not content.is_file():
            raise DataError(f"there is no file {content}", "track", "check the path; a folder is logged file by file")
        path = _inside(name or Path(str(source)).name)
        digest, size = self._spool.add_file(content)
        self._say({"is": "file", "name": path, "digest": digest, "size_bytes": size})

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything so far is delivered; False where that takes longer than the time given."""
        return self._shipper.wait(self._spool.count, timeout_s)

    @property
    def delivered(self) -> bool:
        """Whether everything so far has arrived."""
        return self._shipper.wait(self._spool.count, 0)

    def finish(self, status: str = "done", error: BaseException | None = None) -> None:
        """End the run; waits a moment for the delivery. A second call does nothing."""
        if self._ended:
            return
        self._ended = True
        last = self._watching.end()
        if self._console:
            self._console.end()
            self.file(self._console.file)
        self.metrics({**last, **self._meter.read()}, step=round(self._meter.wall_s))
        self._say({"is": "end", "status": status, "at_ms": now_ms(), "error": _told(error)})
        self._close(self._shipper.wait(self._spool.count, END_TIMEOUT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.finish("failed" if isinstance(error, Exception) else "interrupted", error)

    def _start(self, experiment: str, name: str, parent: str | None, seed: int | None) -> None:
        code = surroundings.code_state(Path.cwd())
        user = os.environ.get("THREEFOLD_ACTOR") or getuser()
        self._say(
            {"is": "start", "experiment": experiment, "name": name or f"{code['entry']}-{self.id[:6]}", "user": user,
             "at_ms": now_ms(), "parent": parent, "code": code, "host": gethostname()}
        )  # fmt: skip
        self.tags({**surroundings.machine_tags(), **currency_of(self._meter.price)})
        self.file(surroundings.packages().encode(), "environment/packages.txt")
        if code["dirty"]:
            self.file(surroundings.uncommitted(Path.cwd()), surroundings.DIFF)
        if seed is not None:
            surroundings.seed_all(seed)
            self.params({"seed": seed})

    def _look(self, values: Mapping[str, float]) -> None:
        """Told every few seconds what the machine does; a look that is lost must not end the script."""
        with contextlib.suppress(ThreefoldError):
            if values:
                self.metrics({**values, **self._meter.read()}, step=round(self._meter.wall_s))
            if self._console and self._console.due():
                self.file(self._console.file)

    def _say(self, record: dict[str, Any]) -> None:
        self._spool.add(record)
        self._shipper.tell()

    def _close(self, whole: bool) -> None:
        self._shipper.end()
        self._spool.close()
        self._target.close()
        if whole:
            spool.remove(self._spool.folder)
            return
        to = f" --to {self.target}" if self.target.startswith("http") else ""  # a folder: the project knows its parts
        sys.stderr.write(
            f"run {self.id[:8]}: {self.target} could not be reached; what was logged waits in {self._spool.folder}\n"
            f"  deliver it with: threefold sync{to}\n"
        )


def _texts(values: Mapping[str, Any], most: int, what: str) -> dict[str, Any]:
    for name, value in values.items():
        _check_key(name, what)
        if isinstance(value, str):
            _check_text(value, f"the {what} {name!r}")
        if isinstance(value, str) and len(value) > most:
            raise DataError(
                f"the {what} {name!r} has {len(value)} letters; at most {most} fit", "track", "keep it as a file"
            )
    found: dict[str, Any] = plain(dict(values))
    return found


def _check_key(name: str, what: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= KEY_LETTERS:
        raise DataError(f"{str(name)[:40]!r} cannot name a {what}", "track", f"use 1 to {KEY_LETTERS} letters")
    _check_text(name, f"the name of a {what}")


def _check_text(text: str, what: str) -> None:
    """Refuse at once what no catalogue keeps: the spool could never be delivered, and all that follows would wait."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
        raise DataError(
            f"{what} holds a letter that cannot be kept: U+0000, or half a character", "track", "leave it out"
        )


def _step(step: int) -> int:
    if not -(2**63) <= int(step) < 2**63:
        raise DataError(f"the step {str(step)[:40]} has more than 64 bits", "track", "count in larger steps")
    return int(step)


def _number(value: float) -> float | str | None:
    """A number as JSON carries it: NaN as null, infinity as a text."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _inside(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f"{name!r} leads out of the run", "track", "name a path within it, as in plots/roc.png")
    return str(path)


def _told(error: BaseException | None) -> dict[str, str] | None:
    if error is None:
        return None
    if isinstance(error, ThreefoldError):
        return {"what": error.what, "where": error.where, "do": error.do}
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{last[0].filename}:{last[0].lineno}" if last else "the script"
    return {"what": f"{type(error).__name__}: {error}", "where": where, "do": "see console.txt of the run"}
