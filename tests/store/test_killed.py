"""A process is killed in the middle of each kind of write: what it had acknowledged is there, and of the rest nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from threefold.store import Store, events
from threefold.store.check import check

KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from threefold.pipeline import runs
from threefold.registry import versions
from threefold.records import Lineage
from threefold.store import Store
from threefold.store.queue import WriteQueue

root, kind, share = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
LINEAGE = Lineage({}, "t", "s", {}, "e", "r", "linear", None, "c", 7)

def create(store): Store.open(store.root / "new")
def start(store): runs.start(store, project="another", params={"a": 1}, tags={"b": 2})
def finish(store): runs.finish(store, run)
def log(store): runs.log_metrics(store, run, {f"m{n}": 0.5 for n in range(50)})
def register(store): versions.register(store, "shop", "b" * 64, run, {"auc": 0.5}, LINEAGE)
def alias(store): versions.set_alias(store, "known", "champion", 1)
def queue(store): WriteQueue(store).submit(lambda tx: [tx.event("thing.noted", str(n)) for n in range(20)]).result()

def begun(folder):
    store = Store.open(folder)
    run = runs.start(store, project="shop")
    versions.register(store, "known", store.objects.put(b'{"files": {}}'), run, {}, LINEAGE)
    return store, run

seen, limit = 0, None

@event.listens_for(Engine, "before_cursor_execute")
def look(connection, cursor, statement, parameters, context, many):
    global seen
    seen += not statement.startswith(("PRAGMA", "SELECT"))
    if limit is not None and seen >= limit:
        os.kill(os.getpid(), signal.SIGKILL)

# A rehearsal in another store counts the statements; then it is done in earnest, and ends on the way.
rehearsed, run = begun(root / "rehearsal")
seen = 0
globals()[kind](rehearsed)
count = seen
store, run = begun(root)
print(run, flush=True)
seen, limit = 0, max(1, round(share * count))
globals()[kind](store)
"""


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("kind", ["create", "start", "finish", "log", "register", "alias", "queue"])
def test_a_writer_that_is_killed_leaves_what_was_acknowledged_and_nothing_half(
    tmp_path: Path, kind: str, share: float
) -> None:
    root = tmp_path / "store"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), kind, str(share)], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    run = done.stdout.strip()
    store = Store.open(root)
    assert check(store).findings == ()
    with store.read() as connection:
        kinds = [event.kind for event in events.read(connection)]
        assert kinds == ["store.created", "run.started", "model.registered"]
        assert next(events.read(connection, kind="run.started")).subject == f"run {run}"
    with store.write() as tx:
        assert tx.event("thing.noted", "afterwards") == 4
    store.close()
    if kind == "create":
        new = Store.open(root / "new")  # half-made, it is made by whoever comes next
        assert check(new).findings == ()
        new.close()
