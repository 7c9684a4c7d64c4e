"""Labels in their spellings: which texts mean which class. Light, as the server reads labels, too."""

from __future__ import annotations

from collections.abc import Sequence


def label_codes(classes: Sequence[str]) -> dict[str, float]:
    """Every text that means a class -> the number of the class.

    >>> label_codes(("false", "true"))["1"]
    1.0
    """
    codes = {label: float(code) for code, label in enumerate(classes)}
    for code, label in enumerate(classes):
        for other in same_label(label):
            codes.setdefault(other, float(code))
    return codes


def same_label(label: str) -> tuple[str, ...]:
    """Other spellings of a label, as tables, JSON and logs write it.

    >>> same_label("3")
    ('3.0',)
    """
    lower = label.lower()
    if lower in ("true", "1"):
        return ("true", "True", "TRUE", "1", "1.0")
    if lower in ("false", "0"):
        return ("false", "False", "FALSE", "0", "0.0")
    return (f"{label}.0",) if label.lstrip("-").isdigit() else ()
