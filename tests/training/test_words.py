from __future__ import annotations

import numpy as np
import polars as pl

from threefold.training.words import learn, pieces_of, word_of

MAILS = pl.Series(["Free money, win!", "free  Money", "meeting\tat noon", "WIN noon\nmeeting"])


def test_a_text_is_cut_at_spaces_line_ends_and_tabs():
    assert pieces_of(" a  b\tc\nd ") == ["a", "b", "c", "d"]


def test_capitals_and_punctuation_do_not_make_another_word():
    assert word_of("Free!") == word_of("(free)") == "free"
    vocabulary = learn(MAILS, 10)
    assert vocabulary.forms["Free"] == vocabulary.forms["free"]


def test_words_present_are_marked_once():
    vocabulary = learn(MAILS, 10)
    present = vocabulary.present(pl.Series(["free free unheard", ""])).toarray()
    assert present.sum() == 1
    assert present[0, vocabulary.forms["free"]] == 1


def test_weighed_texts_have_length_one_or_nothing():
    lengths = np.linalg.norm(learn(MAILS, 10).weighed(pl.Series(["free win", "unheard"])).toarray(), axis=1)
    assert np.allclose(lengths, [1, 0])


def test_the_words_that_tell_most_are_kept():
    texts = pl.Series(["the sun", "the rain"] * 20)
    outcome = np.array([[1.0], [0.0]] * 20)
    assert set(learn(texts, 2, outcome).forms) == {"sun", "rain"}
    assert "the" in learn(texts, 2).forms
