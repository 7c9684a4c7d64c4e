"""The names that may stand in a canvas for things which later rooms bring: metrics and candidates.

Those rooms stand later, so their built-in names are repeated here; a test holds the two lists together. Names of
installed plug-ins are read off their entry points, without importing anything.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from threefold.design.words import plain_key

METRICS = (
    "roc_auc", "log_loss", "brier", "calibration_error", "calibration_gap", "accuracy", "precision", "recall", "f1",
    "macro_f1", "cost per prediction", "rmse", "mae", "r2",
)  # fmt: skip
CANDIDATES = ("linear", "boosting", "lightgbm")


def metric_named(word: str) -> str | None:
    """The metric that a word stands for; None where there is none. Spaces and underscores are alike.

    >>> metric_named("ROC AUC")
    'roc_auc'
    """
    same = next((one for one in METRICS if plain_key(one) == plain_key(word)), None)
    return same or next((one for one in plugged_in("metric") if plain_key(one) == plain_key(word)), None)


def plugged_in(kind: str) -> tuple[str, ...]:
    """Names that installed packages bring, as in the entry point `metric.gini`; sorted."""
    points = (point.name.partition(".") for point in entry_points(group="threefold.plugins"))
    return tuple(sorted(name for family, _, name in points if family == kind))
