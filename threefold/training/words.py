"""Text as numbers: which words of a learned vocabulary stand in it.

A text is cut at spaces, line ends and tabs. Each piece is looked up as it is written; pieces that differ only in
capitals or in punctuation around them stand for one word ("Free!" and "free"). The table of written forms is part of
the model, so that the packaged model needs nothing but a split and a look-up, and reads exactly the same words.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse  # type: ignore[import-untyped]  # it ships no types

EDGE = re.compile(r"^\W+|\W+$")
MAX_FORMS = 20_000  # written forms kept, most frequent first
MAX_PIECES = 2_000  # of one text; what stands behind is not learned from (a mail with its attachment)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one text column.

    Attributes:
        forms: written form -> number of its word, 0 to size - 1.
        weights: shape (size,), inverse document frequency ln((1 + n) / (1 + df)) + 1.
    """

    forms: dict[str, int]
    weights: np.ndarray

    @property
    def size(self) -> int:
        """How many words."""
        return len(self.weights)

    def present(self, values: pl.Series) -> sparse.csr_matrix:
        """Which words stand in which text: shape (n, size), 0 and 1, float64."""
        rows, words = [], []
        for row, text in enumerate(values.to_list()):
            found = {self.forms[piece] for piece in set(pieces_of(text)) if piece in self.forms}
            rows += [row] * len(found)
            words += sorted(found)
        data = np.ones(len(rows), dtype=np.float64)
        return sparse.csr_matrix((data, (rows, words)), shape=(values.len(), self.size))

    def weighed(self, values: pl.Series) -> sparse.csr_matrix:
        """Words present times their weight, each text scaled to length 1 (or 0 when it has no known word)."""
        matrix = self.present(values).multiply(self.weights).tocsr()
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).ravel()
        scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return (sparse.diags(scale) @ matrix).tocsr()


def learn(values: pl.Series, size: int, y: np.ndarray | None = None) -> Vocabulary:
    """Learn the vocabulary of a text column.

    Args:
        values: the texts, without nulls.
        size: how many words to keep at most.
        y: the outcome, shape (n, d); where given, the words that tell most about it are kept, otherwise the most
            frequent ones. A word must stand in at least 3 texts (2 when there are fewer than 200).
    """
    cut = [pieces_of(text)[:MAX_PIECES] for text in values.to_list()]
    seen: Counter[str] = Counter()
    for pieces in cut:
        seen.update(pieces)
    stands = {piece: word_of(piece) for piece in seen}
    texts: Counter[str] = Counter()
    for pieces in cut:
        texts.update({stands[piece] for piece in pieces})
    floor = 3 if len(cut) >= 200 else 2
    ranked = sorted((word for word, count in texts.items() if word and count >= floor), key=lambda w: (-texts[w], w))
    forms = [(piece, stands[piece]) for piece in sorted(seen, key=lambda piece: (-seen[piece], piece))]
    if y is not None and len(ranked) > size:
        pool = _vocabulary(ranked[: 20 * size], forms, texts, len(cut))
        telling = _telling(pool.present(values), y)
        order = sorted(range(pool.size), key=lambda number: (-telling[number], number))[:size]
        ranked = [ranked[number] for number in sorted(order)]
    return _vocabulary(ranked[:size], forms, texts, len(cut))


def pieces_of(text: str) -> list[str]:
    """The written forms in a text: what stands between spaces, line ends and tabs."""
    return [piece for piece in text.replace("\n", " ").replace("\t", " ").split(" ") if piece]


def word_of(piece: str) -> str:
    """The word a written form stands for: small letters, without punctuation around it."""
    return EDGE.sub("", piece.lower())


def _vocabulary(words: list[str], forms: list[tuple[str, str]], texts: Counter[str], rows: int) -> Vocabulary:
    number = {word: position for position, word in enumerate(words)}
    kept = [(piece, number[word]) for piece, word in forms if word in number][: MAX_FORMS + len(words)]
    weights = np.array([np.log((1 + rows) / (1 + texts[word])) + 1 for word in words], dtype=np.float64)
    return Vocabulary(dict(kept), weights)


def _telling(present: sparse.csr_matrix, y: np.ndarray) -> np.ndarray:
    """How far the mean outcome of the texts with a word lies from that of all, in standard errors; the largest of d."""
    rows = np.asarray(present.sum(axis=0)).ravel()
    centred = y - y.mean(axis=0)
    deviation = centred.std(axis=0) + 1e-12
    shift = np.abs(present.T @ centred) / (np.sqrt(rows)[:, None] * deviation)
    return np.asarray(shift.max(axis=1)).ravel()
