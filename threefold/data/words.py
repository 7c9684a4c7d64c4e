"""Words for refusals: the nearest right name, and short lists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], what: str = "columns") -> str:
    """The next step after a wrong name: the nearest right one, and what there is.

    >>> did_you_mean("lat", ["late", "origin"])
    "did you mean 'late'? the columns are late, origin"
    """
    names = sorted(known)
    if not names:
        return f"there are no {what}"
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1)
    right = next((n for n in names if near and n.lower() == near[0]), None)
    return (f"did you mean '{right}'? " if right else "") + f"the {what} are {listing(names)}"


def listing(names: Iterable[str], at_most: int = 12) -> str:
    """Names in a row, the tail counted.

    >>> listing("abc", at_most=2)
    'a, b and 1 more'
    """
    shown = list(names)
    if len(shown) <= at_most:
        return ", ".join(shown)
    return ", ".join(shown[:at_most]) + f" and {len(shown) - at_most} more"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counted_as(number: int, noun: str, verb: str) -> str:
    """A number with its noun and a verb that agrees.

    >>> counted_as(1, "row", "have"), counted_as(2, "row", "are"), counted_as(1, "id", "stand")
    ('1 row has', '2 rows are', '1 id stands')
    """
    single = {"have": "has", "are": "is"}.get(verb, f"{verb}s")
    return f"{counted(number, noun)} {single if number == 1 else verb}"
