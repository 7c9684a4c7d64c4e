"""A clock that is set forward and back: the order of what happened stays, whatever its moments say."""

import json
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from threefold.registry import aliases
from threefold.store import Store, events
from threefold.store.check import check

from .conftest import API, JSON, Starting

# The server with a clock that is wrong by as many hours as a file says at the moment.
WRONG = """
from datetime import timedelta
from pathlib import Path
from threefold import records

def hours(): return float(Path({file!r}).read_text())

utc_now, now_ms = records.utc_now, records.now_ms
records.utc_now = lambda: utc_now() + timedelta(hours=hours())
records.now_ms = lambda: now_ms() + round(hours() * 3_600_000)

from threefold.cli import main
main()
"""


def test_the_log_the_aliases_and_the_lists_keep_their_order(tmp_path: Path, start: Starting) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    up = start(command=(sys.executable, "-c", WRONG.format(file=str(clock))))
    up.post("registered-models/create", name="shop")
    run = up.run()
    for hours in ("70", "-70", "-71", "0"):
        clock.write_text(hours)
        number = up.post("model-versions/create", name="shop", source="s3://bucket/key")["model_version"]["version"]
        up.post("registered-models/alias", name="shop", alias="champion", version=number)
        up.post(
            "runs/log-batch", run_id=run, metrics=[{"key": "loss", "value": 0.5, "timestamp": 1, "step": int(hours)}]
        )
        answer = up.ask("DELETE", f"{API}experiments/none", json.dumps({}), headers=JSON)
        assert answer.status_code == 404
        up.post("runs/delete", run_id=run)
        up.post("runs/restore", run_id=run)
    found = up.get("model-versions/search", filter="name = 'shop'", order_by="version_number DESC")["model_versions"]
    assert [one["version"] for one in found] == ["4", "3", "2", "1"]
    assert len(up.get("metrics/get-history", run_id=run, metric_key="loss")["metrics"]) == 4
    store = Store.open(up.store)
    moves = aliases.history(store, "shop", "champion")
    assert [(move.before, move.after) for move in moves] == [(None, 1), (1, 2), (2, 3), (3, 4)]
    assert all(before.at < after.at for before, after in pairwise(moves))
    with store.read() as connection:
        assert events.verify(connection)[1] is None
        moments = [datetime.fromisoformat(event.at) for event in events.read(connection)]
    assert all(before <= after for before, after in pairwise(moments))
    assert check(store).findings == ()
    store.close()
