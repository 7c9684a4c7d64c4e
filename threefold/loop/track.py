"""Where what a script logs goes: as it says, or as the settings of the project around it say."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from threefold.design.settings import price
from threefold.errors import ThreefoldError
from threefold.loop.operating import around
from threefold.store import Store
from threefold.store.recorder import shipping, spool
from threefold.store.recorder.run import Run
from threefold.store.recorder.shipping import StoreTarget, Target
from threefold.store.recorder.system import Price

SERVERS = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs go.

    Attributes:
        address: of a server ("http://127.0.0.1:5000"), or the folder of a store.
        url, objects: where the parts of that store lie that are not in its folder.
        price: what an hour of this machine costs, as the project says.
    """

    address: str
    url: str | None = None
    objects: str | None = None
    price: Price | None = None

    @property
    def spools(self) -> Path:
        """What has not arrived yet: in the store, or under THREEFOLD_SPOOL or ~/.threefold/spool for a server."""
        if not self.address.startswith(SERVERS):
            return Path(self.address) / spool.FOLDER
        name = "".join(letter if letter.isalnum() else "-" for letter in self.address.split("://", 1)[1].rstrip("/"))
        return Path(os.environ.get("THREEFOLD_SPOOL") or Path.home() / ".threefold" / "spool") / name

    def open(self) -> Target:
        """The server or the store."""
        if self.address.startswith(SERVERS):
            from threefold.store.recorder.http import HttpTarget  # httpx costs 130 ms: only who speaks HTTP pays

            return HttpTarget(self.address)
        return StoreTarget(Store.open(Path(self.address), url=self.url, objects=self.objects))


def place_of(to: str | Path | None = None, *, start: Path | None = None) -> Place:
    """Where runs go that begin in a folder.

    Args:
        to: a server or a store; None: where the setting `tracking` says, and without it the project's own store.
        start: default is the folder that the process works in.
    Raises:
        ThreefoldError: a setting does not fit.
    """
    here = around(start or Path.cwd())
    own = here.root / here.value("store")
    wanted, cost = str(to or here.value("tracking") or own), price(here.value("hourly_cost"))
    if wanted.startswith(SERVERS):
        return Place(wanted, price=cost)
    folder = Path(wanted) if to else here.root / wanted
    mine = folder.resolve() == own.resolve()
    return Place(str(folder), **here.parts(None if mine else folder), price=cost)


def track(
    experiment: str, *, to: str | Path | None = None, name: str = "", parent: str | None = None, seed: int | None = None,
    console: bool = True, system: bool = True, hourly_cost: float | None = None,
) -> Run:  # fmt: skip
    """Begin a run of an experiment.

    Args:
        experiment: its name; a project's runs are in the experiment of the project's name.
        to: the address of a server ("http://127.0.0.1:5000") or the folder of a store; default: what the setting
            `tracking` says (also THREEFOLD_TRACKING), and without it the store of the project in or above this folder.
        name: what people call the run.
        parent: the id of the run this one is part of.
        seed: set for Python, NumPy and PyTorch, and kept as a parameter.
        console: keep a copy of what the script prints.
        system: sample processor, memory, disk and accelerators every 10 seconds.
        hourly_cost: what an hour of this machine costs; default: what the setting says. The run then has a metric `cost`.
    Raises:
        StoreError: the spool, or a store on this machine, cannot be written.
    """
    place = place_of(to)
    run = Run(
        experiment, place.open(), place.spools, name=name, parent=parent, seed=seed, console=console, system=system,
        price=place.price if hourly_cost is None else Price(hourly_cost),
    )  # fmt: skip
    run.left = threading.Thread(target=_deliver_left, args=(place,), name="left spools", daemon=True)
    run.left.start()
    return run


def _deliver_left(place: Place) -> None:
    """What earlier runs left behind goes along, in the background; what fails now is tried by the next one."""
    if spool.waiting(place.spools):
        with contextlib.suppress(ThreefoldError):
            target = place.open()
            shipping.deliver_left(place.spools, target)
            target.close()
