"""The nearest right word, and words in a row."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHORT = 12  # words that a reader still takes in beside a suggestion


def plain_key(word: str) -> str:
    """How keys are compared: small letters, and a space for each underscore or hyphen.

    >>> plain_key("leave_out") == plain_key("Leave out")
    True
    """
    return " ".join(word.lower().replace("_", " ").replace("-", " ").split())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a mistyped one most likely stands for; None where nothing is near.

    >>> nearest("candidats", ["baseline", "candidates"])
    'candidates'
    """
    plain = {plain_key(one): one for one in known}
    found = difflib.get_close_matches(plain_key(word), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def advise(word: str, known: Iterable[str], what: str) -> str:
    """The next step after a wrong word; a long list is left out where one word is near.

    >>> advise("tim", ["time", "random"], "it can be")
    "did you mean 'time'? it can be: time, random"
    """
    names = list(known)
    near = nearest(word, names)
    everything = f"{what}: {', '.join(names)}"
    if near is None:
        return everything
    return f"did you mean '{near}'?" + (f" {everything}" if len(names) <= SHORT else "")


def kind_of(value: object) -> str:
    """What a value is, with its article, for a message.

    >>> kind_of(1), kind_of("x")
    ('an int', 'a str')
    """
    name = type(value).__qualname__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
