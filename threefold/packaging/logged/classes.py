"""The classes of a logged model and those of the project."""

from __future__ import annotations

from collections.abc import Sequence

from threefold.errors import DataError
from threefold.records import TaskSpec
from threefold.training.spelling import label_codes


def order_of(labels: Sequence[str], width: int | None, task: TaskSpec, where: str) -> tuple[int, ...]:
    """Where the probability of each class of the task stands among the columns of a model.

    Args:
        labels: what the model calls its columns; empty: it does not say, and its classes are in ascending order.
        width: how many columns it has; None: it does not say.
    Raises:
        DataError: they are not the same classes.
    """
    known = codes_of(task)
    labels = labels or _ascending(task.classes)
    codes = [known.get(label) for label in labels]
    if (width or len(labels)) != len(labels) or sorted(code for code in codes if code is not None) != list(
        range(len(task.classes))
    ):
        raise DataError(
            f"the classes of the model ({', '.join(labels)[:200]}) are not those of the project", where,
            f"the project predicts {task.target}: {', '.join(task.classes)}",
        )  # fmt: skip
    return tuple(codes.index(float(place)) for place in range(len(task.classes)))


def _ascending(classes: Sequence[str]) -> list[str]:
    try:
        return sorted(classes, key=float)
    except ValueError:
        return sorted(classes)


def codes_of(task: TaskSpec) -> dict[str, float]:
    """Every text that means a class -> its number. Libraries that only learn numbers say "0", "1", … for their order."""
    numbers = {str(code): float(code) for code in range(len(task.classes))}
    codes = label_codes(task.classes)
    return codes if numbers.keys() & codes.keys() else {**numbers, **codes}
