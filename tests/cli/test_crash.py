"""kill -9 of a run in any stage, then go on."""

from __future__ import annotations

import pytest

DIE = "import os\n\ndef _die():\n    if os.path.exists('die'):\n        os.kill(os.getpid(), 9)\n\n"
PLACES = {
    "data": ("data.py", "def clean_customers(customers):\n    _die()\n    return customers\n"),
    "features": (
        "features.py",
        "def own(customers):\n    _die()\n    return customers.select('months', 'complaints', 'plan')\n",
    ),
    "train": (
        "model.py",
        "class mine:\n    def fit(self, X, y):\n        _die()\n        return self\n"
        "    def predict(self, X):\n        return X['complaints'].to_numpy() / 5\n"
        "    def predict_proba(self, X):\n        import numpy as np\n        p = self.predict(X)\n"
        "        return np.stack([1 - p, p], axis=1)\n",
    ),
    "gates": ("checks.py", "def alive(test):\n    _die()\n    return True\n"),
}


@pytest.mark.parametrize("stage", PLACES)
def test_a_run_that_was_killed_goes_on_where_it_was(folder, stage: str) -> None:
    name, text = PLACES[stage]
    folder.write(name, DIE + text)
    if stage == "train":
        folder.edit("threefold.yaml", "[linear]", "[mine]")
    folder.write("die", "")
    killed = folder.call("run")
    assert killed.code == -9
    assert folder.call("events", "verify").code == 0
    assert not folder.call("models", "list", "--json").json

    (folder.root / "die").unlink()
    resumed = folder.call("run", "--json")
    assert resumed.code == 0, resumed.out
    steps = {step["step"]: step for step in resumed.json["steps"]}
    before = {"data": "ingest/customers", "features": "clean/customers", "train": "baseline", "gates": "package"}
    assert steps[before[stage]]["status"] == "reused"
    assert [run["status"] for run in folder.call("runs", "list", "--kind", "pipeline", "--json").json] == [
        "done",
        "interrupted",
    ]
