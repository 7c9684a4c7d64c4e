"""How numbers are written in reports, the same on every page and in the terminal."""

from __future__ import annotations

import math

NOTHING = "–"  # a value that does not exist, such as the AUC of a month with one class


def count(value: float) -> str:
    """A number of things: 336,776."""
    return f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share of one, in percent with one digit.

    >>> share(0.2268)
    '22.7 %'
    """
    return NOTHING if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits, or a dash where there is none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """A difference, always with its sign (a real minus); one that rounds to nothing has none.

    >>> signed(-0.0214), signed(0.5, 1), signed(-0.0001)
    ('−0.021', '+0.5', '0.000')
    """
    text = f"{abs(value):,.{digits}f}"
    if not any(letter in "123456789" for letter in text):
        return text
    return ("−" if value < 0 else "+") + text


def money(value: float | None, currency: str, digits: int = 0) -> str:
    """An amount with its currency: 1,234 USD."""
    return f"{decimal(value, digits)} {currency}".strip()


def duration(seconds: float) -> str:
    """A span of time in the unit a person would use.

    >>> duration(0.0042), duration(0.85), duration(12.34), duration(200)
    ('4.2 ms', '850 ms', '12.3 s', '3 min 20 s')
    """
    if seconds < 0.01:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def size(size_bytes: float) -> str:
    """Bytes in powers of a thousand: 5.4 MB."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def plural(number: int, noun: str) -> str:
    """'1 alert', '3 alerts'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listing(words: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
