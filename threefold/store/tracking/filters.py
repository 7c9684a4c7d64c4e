"""Filters: what a person or a client writes to find something, read into a small tree.

    metrics.loss < 0.1 AND (params.model = 'linear' OR tags."best of" ILIKE '%yes%')

MLflow's grammar in full, and beyond it OR, NOT and parentheses. A word before the first point says what is compared, the
rest is the name; a name with blanks stands in "…" or `…`. What a tree means in the catalogue is said by `matching`, with a
function for one comparison: each kind of thing that can be searched brings its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Dialect, and_, func, not_, or_

from threefold.errors import DataError

NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
TEXTUAL = ("=", "!=", "LIKE", "ILIKE")
DEEPEST = 200  # comparisons and parentheses: deeper ones come from programs, and the catalogue refuses them
PRESENCE = ("IS NULL", "IS NOT NULL")
_KINDS = {
    "attribute": ("attribute", "attributes", "attr", "run"),
    "metric": ("metric", "metrics"),
    "param": ("param", "params", "parameter", "parameters"),
    "tag": ("tag", "tags"),
    "dataset": ("dataset", "datasets"),
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>(?:[A-Za-z_]\w*|`[^`]*`|"[^"]*")(?:\s*\.\s*(?:`[^`]*`|"[^"]*"|[\w/:\-]+))*)
    |(?P<sign><=|>=|!=|<>|==|=|<|>)
    |(?P<mark>[(),])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison.

    Attributes:
        kind: attribute, metric, param, tag, dataset.
        sign: =, !=, <, <=, >, >=, LIKE, ILIKE, IN, NOT IN, IS NULL, IS NOT NULL.
        value: a number, a text, a tuple of texts for IN, None for IS NULL.
    """

    kind: str
    name: str
    sign: str
    value: float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; none for an empty filter."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


Filter = Compare | Every | Some | Not
Leaf = Callable[[Compare], ColumnElement[bool]]


def parse(text: str | None, *, bare_or: bool = True) -> Filter:
    """Read a filter. Raises DataError with the place that was not understood.

    Args:
        bare_or: whether OR may stand outside of parentheses.

    >>> parse("metrics.loss < 0.1")
    Compare(kind='metric', name='loss', sign='<', value=0.1)
    """
    if not text or not text.strip():
        return Every()
    reader = _Reader(text)
    found = reader.either() if bare_or else reader.all()
    if reader.word is not None:
        raise reader.refuse()
    return found


def matching(tree: Filter, leaf: Leaf) -> ColumnElement[bool] | None:
    """The condition that a filter means; None where it is empty."""
    if isinstance(tree, Compare):
        return leaf(tree)
    if isinstance(tree, Not):
        inner = matching(tree.part, leaf)
        return None if inner is None else not_(inner)
    parts = [part for part in (matching(one, leaf) for one in tree.parts) if part is not None]
    if not parts:
        return None
    return and_(*parts) if isinstance(tree, Every) else or_(*parts)


def number_in(compare: Compare) -> float:
    """The number of a comparison of numbers. Raises DataError."""
    check_sign(compare, NUMERIC)
    if isinstance(compare.value, float):
        return compare.value
    raise _wrong_value(compare, "Expected numeric value type")


def text_in(compare: Compare, signs: Sequence[str] = TEXTUAL) -> str:
    """The text of a comparison of texts. Raises DataError."""
    check_sign(compare, signs)
    if isinstance(compare.value, str):
        return compare.value
    raise _wrong_value(compare, "Expected a quoted string value")


def check_sign(compare: Compare, signs: Sequence[str]) -> None:
    """A comparison uses a sign that its kind has. Raises DataError."""
    if compare.sign not in signs:
        raise DataError(
            f"Invalid comparator '{compare.sign}' for {compare.kind} '{compare.name}'", "the filter",
            f"it can be compared with {' '.join(signs)}",
        )  # fmt: skip


def compared(column: ColumnElement[Any], compare: Compare, dialect: Dialect, value: Any = None) -> ColumnElement[bool]:
    """A column against the value of a comparison.

    Args:
        value: stands in for the comparison's own, where the catalogue keeps it in another form.
    """
    other: Any = compare.value if value is None else value
    sign = compare.sign
    if sign == "LIKE":
        return like(column, str(other), dialect)
    if sign == "ILIKE":
        return func.lower(column).like(func.lower(other))
    if sign in ("IN", "NOT IN"):
        return column.in_(list(other)) if sign == "IN" else column.not_in(list(other))
    if sign in PRESENCE:
        return column.is_(None) if sign == "IS NULL" else column.is_not(None)
    found: ColumnElement[bool] = _SIGNS[sign](column, other)
    return found


def like(column: ColumnElement[Any], pattern: str, dialect: Dialect) -> ColumnElement[bool]:
    """LIKE that tells capitals from small letters; that of SQLite does not, its GLOB does."""
    if dialect.name != "sqlite":
        return column.like(pattern)
    glob = re.sub(r"[\[*?]", lambda found: f"[{found[0]}]", pattern).replace("%", "*").replace("_", "?")
    return column.op("GLOB")(glob)


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}


def identifier(name: str, kinds: Sequence[str] = tuple(_KINDS)) -> tuple[str, str]:
    """Kind and name of what is compared or sorted by.

    >>> identifier("params.`learning rate`")
    ('param', 'learning rate')
    """
    first, point, rest = _split(name)
    if not point:
        return "attribute", unquoted(first)
    kind = _KIND_OF.get(unquoted(first).strip())
    if kind is None or kind not in kinds:
        raise DataError(
            f"Invalid entity type '{unquoted(first)}'", "the filter or order_by",
            f"a name begins with one of {', '.join(f'{kind}s' for kind in kinds)}",
        )  # fmt: skip
    return kind, unquoted(rest.strip())


def unquoted(text: str) -> str:
    """A name without its quotes."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "`\"'" else text


def _split(name: str) -> tuple[str, str, str]:
    if name[:1] in ("`", '"'):
        end = name.find(name[0], 1) + 1
        return name[:end], name[end : end + 1], name[end + 1 :]
    return name.partition(".")


def _wrong_value(compare: Compare, expected: str) -> DataError:
    return DataError(
        f"{expected} for {compare.kind} '{compare.name}'. Found {compare.value}", "the filter",
        "write numbers as they are and texts in single quotes",
    )  # fmt: skip


class _Reader:
    """Reads one filter from left to right: OR binds weakest, then AND, then NOT."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0  # of what was read so far
        self.place = 0  # behind the current word
        self.kind: str | None = None
        self.word: str | None = None
        self.begin = 0
        self.step()

    def step(self) -> None:
        if not self.text[self.place :].strip():
            self.kind = self.word = None
            self.begin = len(self.text)
            return
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            self.begin = self.place + len(self.text[self.place :]) - len(self.text[self.place :].lstrip())
            raise self.refuse()
        self.kind = found.lastgroup
        self.word = found[str(found.lastgroup)]
        self.begin = found.start(str(found.lastgroup))
        self.place = found.end()

    def says(self, *words: str) -> bool:
        return self.kind in ("name", "mark", "sign") and self.word is not None and self.word.upper() in words

    def take(self, *words: str) -> bool:
        if self.says(*words):
            self.step()
            return True
        return False

    def refuse(self, expected: str = "a comparison such as metrics.loss < 0.1, joined by AND or OR") -> DataError:
        rest = self.text[self.begin :].strip()
        said = f"'{rest}'" if rest else "it ends too early,"
        return DataError(
            f"Invalid clause(s) in filter string: {said} in {self.text!r}",
            f"the filter, letter {self.begin + 1}",
            f"write {expected}",
        )

    def either(self) -> Filter:
        parts = [self.all()]
        while self.take("OR"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def all(self) -> Filter:
        parts = [self.one()]
        while self.take("AND"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def one(self) -> Filter:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refuse(f"at most {DEEPEST} comparisons and parentheses")
        if self.take("NOT"):
            return Not(self.one())
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self.refuse("the closing parenthesis")
            return inner
        return self.compare()

    def compare(self) -> Compare:
        if self.kind != "name" or self.says("AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "IS"):
            raise self.refuse()
        kind, name = identifier(str(self.word))
        self.step()
        sign = self.sign()
        if sign in PRESENCE:
            return Compare(kind, name, sign, None)
        return Compare(kind, name, sign, self.list() if sign in ("IN", "NOT IN") else self.value())

    def sign(self) -> str:
        if self.kind == "sign":
            word = str(self.word)
            self.step()
            return {"<>": "!=", "==": "="}.get(word, word)
        if self.take("LIKE"):
            return "LIKE"
        if self.take("ILIKE"):
            return "ILIKE"
        if self.take("IN"):
            return "IN"
        if self.take("NOT") and self.take("IN"):
            return "NOT IN"
        if self.take("IS"):
            negated = self.take("NOT")
            if self.take("NULL"):
                return "IS NOT NULL" if negated else "IS NULL"
        raise self.refuse(f"one of {' '.join((*NUMERIC, 'LIKE', 'ILIKE', 'IN', 'NOT IN', *PRESENCE))}")

    def value(self) -> float | str:
        word, kind = self.word, self.kind
        if word is None or kind in ("sign", "mark"):
            raise self.refuse("a number, or a text in single quotes")
        quoted = word[0] in "'\"" and word[-1] == word[0] and len(word) > 1
        if kind == "name" and word.lower() in ("true", "false", "null"):
            raise self.refuse("a number, or a text in single quotes")
        if kind == "name" and not quoted:
            raise DataError(
                f"Parameter value is either not quoted or unidentified quote types used for string value {word}",
                f"the filter, letter {self.begin + 1}", f"write '{word}'",
            )  # fmt: skip
        self.step()
        return float(word) if kind == "number" else word[1:-1].replace("''", "'")

    def list(self) -> tuple[str, ...]:
        beginning = "While parsing a list in the query, expected"
        if not self.take("("):
            raise self.refuse("a list in parentheses, as in ('a', 'b')")
        found: list[float | str] = []
        while not self.says(")"):
            if self.word is None:
                raise self.refuse("the list to its end")
            if self.says(","):
                raise self._ill(f"{beginning} a non-empty list of string values, but got ill-formed list")
            found.append(self.value())
            if not self.says(")") and not self.take(","):
                raise self._ill(f"{beginning} a non-empty list of string values, but got ill-formed list")
        self.step()
        if not found:
            raise self._ill(f"{beginning} a non-empty list of string values, but got empty list")
        texts = tuple(one for one in found if isinstance(one, str))
        if len(texts) < len(found):
            raise self._ill(f"{beginning} string value, punctuation, or whitespace, but got different type in list")
        return texts

    def _ill(self, what: str) -> DataError:
        return DataError(what, f"the filter, letter {self.begin + 1}", "write ('a', 'b')")
