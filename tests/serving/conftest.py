import asyncio

import httpx
import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Training
from threefold.packaging.bundles import pack
from threefold.records import ColumnRule, Contract, FeatureSpec, Lineage, Release, TaskSpec, utc_now
from threefold.serving import routing
from threefold.store import Store, new_id
from threefold.training.baselines import Lookup
from threefold.training.fitting import fit_candidate

LINEAGE = Lineage({}, "t", "s", {}, "e", "run", "linear", None, "c", 7)
TASK = TaskSpec(
    "binary",
    "late",
    (FeatureSpec("temp", "number", "v"), FeatureSpec("wind", "number", "v"), FeatureSpec("carrier", "category", "v")),
    ("false", "true"),
    "true",
)
CONTRACT = Contract(
    "features",
    (
        ColumnRule("temp", "number", 0.0, -20.0, 40.0),
        ColumnRule("wind", "number", 0.5, 0.0, 30.0),
        ColumnRule("carrier", "category", 0.0, values=("AA", "UA")),
    ),
)
FALLBACK = Lookup("carrier", [0.3], {"AA": [0.2], "UA": [0.4]})


def training_frame(seed):
    rng = np.random.default_rng(seed)
    temp, wind = rng.normal(10, 8, 400), rng.uniform(0, 25, 400)
    late = (temp + wind + rng.normal(0, 5, 400)) > 24
    return pl.DataFrame(
        {
            "_id": [str(row) for row in range(400)],
            "temp": pl.Series(temp, dtype=pl.Float32),
            "wind": pl.Series(wind, dtype=pl.Float32),
            "carrier": rng.choice(["AA", "UA"], 400).tolist(),
            "_target": late,
        }
    )


@pytest.fixture(scope="session")
def models():
    """Two trained models of one task."""
    frame = training_frame(7)
    return [
        fit_candidate("linear", frame.head(rows), TASK, Training(candidates=("linear",)), 1.0)[0] for rows in (400, 300)
    ]


@pytest.fixture
def store(tmp_path, catalogue):
    store = Store.open(tmp_path / "store", url=catalogue)
    yield store
    store.close()


def release_of(bundle, number, endpoint="demo"):
    return Release(new_id(), endpoint, endpoint, number, bundle.digest, LINEAGE, (), "rule", "test", utc_now())


@pytest.fixture
def bundles(store, models):
    """The two models, packed."""
    return [pack(store, "demo", model, contract=CONTRACT, fallback=FALLBACK, reference=b"{}") for model in models]


@pytest.fixture
def released(bundles):
    """One release for each bundle, numbered 1 and 2."""
    return [release_of(bundle, number) for number, bundle in enumerate(bundles, 1)]


@pytest.fixture
def served(store, released):
    """A store in which version 1 answers as "demo"."""
    routing.deploy(store, "demo", released[0])
    return store


def tensors(temp, wind, carrier, **more):
    """A request of the protocol."""
    named = {"temp": ("FP32", temp), "wind": ("FP32", wind), "carrier": ("BYTES", carrier)}
    named |= {name: ("BYTES", values) for name, values in more.items()}
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [len(values), 1], "data": values}
            for name, (datatype, values) in named.items()
        ]
    }


@pytest.fixture
def request_of():
    return tensors


class Caller:
    """Asks an application as a client would, without a socket."""

    def __init__(self, app):
        self.app = app
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://server")

    def request(self, method, path, **more):
        return self._runner.run(self._client.request(method, path, **more))

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, **more):
        return self.request("POST", path, **more)

    def close(self):
        self._runner.run(self._client.aclose())
        self._runner.close()
        self.app.close()


@pytest.fixture
def call():
    """Makes callers of an application, and closes them."""
    callers = []

    def make(app):
        callers.append(Caller(app))
        return callers[-1]

    yield make
    for caller in callers:
        caller.close()
