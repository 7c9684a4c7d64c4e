"""A small project with time, late labels and a real signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from threefold.loop.project import Project, open_project

CANVAS = """\
threefold: 1
project: parcels
value:
  for: a small carrier
  need: warn customers before a parcel is late
  mistakes: {false_positive: 1 EUR, false_negative: 4 EUR}
  risk: minimal
data:
  parcels:
    source: data/parcels.csv
    time: sent_at
    later: {arrived_at: [late]}
    key: id
predict:
  table: parcels
  target: late
  at: sent_at
  id: id
  split: {by: time, test: 20%}
train:
  baseline: rate by depot
  candidates: [linear]
  budget: 5 s
accept:
  roc_auc: ">= 0.6"
serve: {rollout: at once}
watch: {window: 1 day, calibration: 0.15, min rows: 20}
retrain: {on: [calibration], every: 30 days, cool down: 5 days}
"""


def parcels(rows: int = 1200, seed: int = 3) -> pl.DataFrame:
    """Parcels of forty days: heavy ones from the north are late; a label is known a day later."""
    rng = np.random.default_rng(seed)
    weight, depot = rng.gamma(2, 2, rows), rng.choice(["north", "south", "west"], rows)
    chance = 1 / (1 + np.exp(-(weight - 6 + 2 * (depot == "north"))))
    start = datetime(2026, 1, 1)
    sent = [start + timedelta(hours=24 * 40 * index / rows) for index in range(rows)]
    return pl.DataFrame(
        {
            "id": [f"p{index}" for index in range(rows)],
            "sent_at": sent,
            "arrived_at": [moment + timedelta(days=1) for moment in sent],
            "weight": weight.round(3),
            "depot": depot,
            "late": (rng.random(rows) < chance).astype(int),
        }
    )


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Lay out the project, with other files or another canvas where given, and open it."""
    opened: list[Project] = []

    def make(canvas: str = CANVAS, table: pl.DataFrame | None = None, **files: str) -> Project:
        (tmp_path / "data").mkdir(exist_ok=True)
        (parcels() if table is None else table).write_csv(tmp_path / "data" / "parcels.csv")
        (tmp_path / "threefold.yaml").write_text(canvas)
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        opened.append(open_project(tmp_path))
        return opened[-1]

    yield make
    for project in opened:
        project.store.close()
