import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from threefold.records import utc_now
from threefold.store import Store, checkpoints, schema, signing
from threefold.store.events import GENESIS, chain


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path)
    note(found, 2)
    note(found, 3)
    yield found
    found.close()


def note(store: Store, number: int) -> None:
    with store.write(actor="ada") as tx:
        assert tx.event("thing.noted", "thing", {"number": number}) == number


def findings(store: Store, *statements: str) -> str:
    with store.write() as tx:
        for statement in statements:
            tx.execute(text(statement))
    return "; ".join(checkpoints.verify(store).findings)


def forge(store: Store, upto: int | None = None) -> None:
    """Alter event 2 and compute every hash again, as somebody would who knows how it is done."""
    rows, previous = schema.events, GENESIS
    with store.write() as tx:
        for row in tx.execute(select(rows).order_by(rows.c.seq)).all():
            body = '{"number":99}' if row.seq == 2 else row.body
            hash_ = chain(previous, row.seq, row.at, row.kind, row.subject, row.actor, body)
            mine = update(rows).where(rows.c.seq == row.seq)
            tx.execute(mine.values(body=body, previous=previous, hash=hash_))
            previous = hash_
        tx.execute(update(schema.log_head).values(hash=previous))


def test_an_untouched_log_holds(store: Store) -> None:
    made = checkpoints.make(store)
    verdict = checkpoints.verify(store)
    assert made.seq == 3
    assert (verdict.sound, verdict.events, verdict.checkpoints, verdict.signed) == (True, 4, 1, 3)


def test_a_checkpoint_signs_seq_hash_and_moment(store: Store) -> None:
    made = checkpoints.make(store)
    payload, key = signing.unseal(made.envelope, checkpoints.TYPE, signing.trusted(store), "here")
    assert json.loads(payload) == {"seq": 3, "hash": made.hash, "at": made.at}
    assert key.name == "own"


def test_a_quiet_log_is_not_signed_again(store: Store) -> None:
    assert checkpoints.make(store) == checkpoints.make(store)
    assert len(checkpoints.list_checkpoints(store)) == 1


def test_a_daily_checkpoint_waits_for_its_day(store: Store) -> None:
    assert checkpoints.make_daily(store) is not None
    note(store, 5)
    assert checkpoints.make_daily(store) is None
    later = checkpoints.make_daily(store, utc_now() + timedelta(days=1, seconds=1))
    assert later is not None and later.seq == 5


def test_one_row_that_is_altered_is_named(store: Store) -> None:
    checkpoints.make(store)
    said = findings(store, "UPDATE events SET actor = 'eve' WHERE seq = 2")
    assert said.startswith("event 2 (thing.noted thing) does not match its hash")


def test_an_end_that_is_taken_away_with_its_head_is_missed_by_the_checkpoint(store: Store) -> None:
    checkpoints.make(store)
    said = findings(
        store, "DELETE FROM events WHERE seq >= 3",
        "UPDATE log_head SET seq = 2, hash = (SELECT hash FROM events WHERE seq = 2)",
    )  # fmt: skip
    assert said.startswith("event 3 is missing: the checkpoint of")
    assert said.endswith("vouches for it, but the log ends at 2")


def test_a_log_that_was_written_anew_as_a_whole_is_found_by_its_checkpoint(store: Store) -> None:
    checkpoints.make(store)
    forge(store)
    assert "event 3 or one before it was rewritten: the checkpoint of" in findings(store)


def test_a_checkpoint_kept_elsewhere_convicts_even_a_log_without_checkpoints(store: Store) -> None:
    kept = checkpoints.make(store).envelope
    forge(store)
    assert findings(store, "DELETE FROM checkpoints", "DELETE FROM events WHERE seq = 4",
                    "UPDATE log_head SET seq = 3, hash = (SELECT hash FROM events WHERE seq = 3)") == ""  # fmt: skip
    (said,) = checkpoints.verify(store, [kept]).findings
    assert "was rewritten" in said


def test_a_checkpoint_that_is_taken_away_is_missed(store: Store) -> None:
    checkpoints.make(store)
    assert findings(store, "DELETE FROM checkpoints") == "checkpoint 3 was taken away: an event says that it was made"


def test_an_altered_checkpoint_is_named(store: Store) -> None:
    checkpoints.make(store)
    said = findings(store, "UPDATE checkpoints SET hash = 'x'")
    assert "checkpoint 3 says something else than its signature" in said


def test_a_checkpoint_of_a_stranger_does_not_count(store: Store, tmp_path: Path) -> None:
    stranger = Store.open(tmp_path / "stranger")
    said = {"seq": 3, "hash": "0" * 64, "at": "2026-01-01T00:00:00+00:00"}
    envelope = signing.seal(stranger, checkpoints.TYPE, json.dumps(said).encode())
    stranger.close()
    (finding,) = checkpoints.verify(store, [envelope]).findings
    assert "no trusted key" in finding
