"""kill -9 of a run in any stage, then go on."""

from __future__ import annotations

import os
import signal

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
    assert folder.call("audit", "verify").code == 0
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


SLOW = """
steps:
  slow: {run: "exec 9>alive; echo started >&9; sleep 60; echo survived >&9; echo a > {slow.csv}", outputs: slow.csv}
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_command_step_ends_with_the_run_that_started_it(folder, sent: signal.Signals, code: int) -> None:
    folder.write("threefold.yaml", (folder.root / "threefold.yaml").read_text() + SLOW)
    os.mkfifo(folder.root / "alive")
    process = folder.start("run")
    with (folder.root / "alive").open() as alive:  # opens when the command has opened its side
        assert alive.readline() == "started\n"
        process.send_signal(sent)
        assert alive.read() == ""  # ends when nobody holds the other side any more
    process.communicate(timeout=60)
    assert process.returncode == code
    run = folder.call("runs", "list", "--kind", "pipeline", "--json").json[0]
    assert run["status"] == "interrupted"
    assert "pipeline interrupted" in folder.call("status").out
