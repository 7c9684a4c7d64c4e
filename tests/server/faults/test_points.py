"""A metric with very many points: logged, read page by page and drawn in bounded memory."""

import json

import psutil

from .conftest import API, JSON, Up

BATCHES, EACH = 100, 1_000


def batch(run: str, number: int) -> str:
    """Points whose steps come in order in the even batches, and backwards in the odd ones."""
    steps = range(number * EACH, (number + 1) * EACH)
    points = [
        {"key": "loss", "value": step % 97 / 97, "timestamp": 1_700_000_000_000 + step, "step": step}
        for step in (reversed(steps) if number % 2 else steps)
    ]
    return json.dumps({"run_id": run, "metrics": points})


def test_a_hundred_thousand_points_are_read_in_order_and_drawn_in_bounded_memory(up: Up) -> None:
    run = up.run()
    process = psutil.Process(up.process.pid)
    before = process.memory_info().rss
    for number in range(BATCHES):
        assert up.ask("POST", f"{API}runs/log-batch", batch(run, number), headers=JSON).status_code == 200
    assert process.memory_info().rss - before < 40_000_000
    steps, token = [], None
    while not steps or token:
        more = {"page_token": token} if token else {}
        page = up.get("metrics/get-history", run_id=run, metric_key="loss", **more)
        steps += [point["step"] for point in page["metrics"]]
        token = page.get("next_page_token")
    assert steps == list(range(BATCHES * EACH))
    asked = {"run_ids": run, "metric_key": "loss", "max_results": 320}
    drawn = [point["step"] for point in up.get("metrics/get-history-bulk-interval", **asked)["metrics"]]
    assert 300 <= len(drawn) <= 650
    assert drawn == sorted(drawn) and drawn[0] == 0 and drawn[-1] > (BATCHES - 1) * EACH
    assert up.get("runs/get", run_id=run)["run"]["data"]["metrics"][0]["step"] == BATCHES * EACH - 1
