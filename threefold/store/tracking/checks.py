"""What may be logged: the names, lengths and counts that the tracking protocol allows."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from threefold.errors import DataError

KEY = 250  # letters of the name of a metric, parameter or tag
PARAM = 6_000  # letters of a parameter; what is longer is cut, as MLflow does
TAG = 8_000  # letters of a tag of a run; cut likewise
EXPERIMENT_NAME = 500
EXPERIMENT_TAG = 5_000
RUN_NAME = 250
USER = 256
BATCH_METRICS = 1_000
BATCH_NAMED = 100  # parameters, and tags
BATCH_BYTES = 10_000_000  # of a request; the largest parts that are allowed come to less
DATASET = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}
DATASET_TAG = {"key": 255, "value": 500}

_NAME = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")


def check_name(name: str, at: str) -> None:
    """The name of a metric, parameter or tag can be used. Raises DataError.

    Args:
        at: the place in the request, as in "metrics[3].name".
    """
    if not _NAME.fullmatch(name):
        raise _bad(name, at, "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ),"
                             " colon(:) and slashes (/)")  # fmt: skip
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        raise _bad(name, at, f"Names may be treated as files in certain cases, and this one would be {plain!r}")
    if len(name) > KEY:
        raise too_long(at, KEY)


@lru_cache(maxsize=4_096)
def good_name(name: str) -> bool:
    """Whether a name passes `check_name`; remembered, because a batch brings the same few names a thousand times."""
    try:
        check_name(name, "name")
    except DataError:
        return False
    return True


def check_length(value: str, limit: int, at: str) -> None:
    """A text is not too long. Raises DataError."""
    if len(value) > limit:
        raise too_long(at, limit)


def too_long(at: str, limit: int) -> DataError:
    """A text has too many letters."""
    return DataError(f"'{at}' exceeds the maximum length of {limit} characters", "the request", "shorten it")


def check_time(at_ms: int, name: str, value: float, at: str) -> None:
    """The moment of a metric is not before 1970. Raises DataError."""
    if at_ms < 0:
        raise _bad(at_ms, at, f"metric '{name}' (value={value}). Timestamp must be a nonnegative long (64-bit integer)")


def check_run_id(run_id: str) -> None:
    """A text can be the id of a run. Raises DataError."""
    if not _RUN_ID.fullmatch(run_id):
        raise _bad(run_id, "run_id", "it is up to 256 letters, digits, _ and -")


def check_experiment_name(name: str) -> None:
    """A text can be the name of an experiment. Raises DataError."""
    if not name:
        raise DataError(f"Invalid experiment name: '{name}'", "the request", "give a name")
    check_length(name, EXPERIMENT_NAME, "name")


def check_batch(metrics: Collection[Any], params: Collection[Any], tags: Collection[Any]) -> None:
    """A batch has not too many parts. Raises DataError."""
    total = len(metrics) + len(params) + len(tags)
    for what, count, limit in (
        ("metrics", len(metrics), BATCH_METRICS),
        ("params", len(params), BATCH_NAMED),
        ("tags", len(tags), BATCH_NAMED),
        ("metrics, params, and tags", total, BATCH_METRICS),
    ):
        if count > limit:
            raise DataError(
                f"A batch logging request can contain at most {limit} {what}. Got {count} {what}", "the request",
                "split it into several requests",
            )  # fmt: skip


def check_once(names: Iterable[str]) -> None:
    """No parameter comes twice in one batch. Raises DataError."""
    seen: set[str] = set()
    twice = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if twice:
        raise DataError(f"Duplicate parameter keys have been submitted: {twice}", "params", "send each of them once")


def _bad(value: Any, at: str, why: str) -> DataError:
    shown = json.dumps(value)
    return DataError(f"Invalid value {shown[:400]} for parameter '{at}' supplied: {why}", at, "see docs/tracking.md")
