"""The event log, at the command line: an outsider can verify what is handed out."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3


def touched(released, statement: str) -> None:
    with sqlite3.connect(released.root / ".threefold" / "catalogue.db") as connection:
        connection.execute(statement)


def test_an_export_is_verified_with_nothing_but_sha256(released) -> None:
    rows = [json.loads(line) for line in released.call("audit", "export").out.splitlines()]
    assert len(rows) > 10
    previous = "0" * 64
    for row in rows:
        text = "\n".join(str(row[name]) for name in ("previous", "seq", "at", "kind", "subject", "actor", "body"))
        assert row["previous"] == previous
        assert row["hash"] == hashlib.sha256(text.encode()).hexdigest()
        previous = row["hash"]


def test_a_table_holds_the_same_rows_and_can_be_narrowed(released) -> None:
    file = released.root / "log.csv"
    said = released.call("audit", "export", "--format", "csv", "--kind", "release.created", "--to", str(file))
    assert said.code == 0 and "1 events" in said.out
    (row,) = csv.DictReader(file.read_text().splitlines())
    assert json.loads(row["body"])["version"] == 1


def test_a_release_signs_the_log(released) -> None:
    verdict = released.call("audit", "verify", "--json").json
    assert verdict["sound"] and verdict["checkpoints"] == 1


def test_a_touched_row_is_named_with_exit_code_1(released) -> None:
    touched(released, "UPDATE events SET actor = 'eve' WHERE seq = 4")
    said = released.call("audit", "verify")
    assert said.code == 1 and "event 4 (" in said.err
    scripts = released.call("audit", "verify", "--json")
    assert scripts.code == 1 and not scripts.json["sound"]


def test_a_checkpoint_that_was_kept_convicts_a_log_that_was_cut(released) -> None:
    (released.root / "kept.json").write_text(released.call("audit", "checkpoint", "--json").out)
    touched(released, "DELETE FROM checkpoints")
    touched(released, "DELETE FROM events WHERE seq > 10")
    touched(released, "UPDATE log_head SET seq = 10, hash = (SELECT hash FROM events WHERE seq = 10)")
    assert "has no event" in released.call("audit", "verify").err  # the tables tell of it, too
    said = released.call("audit", "verify", "--checkpoint", "kept.json")
    assert said.code == 1 and "the log ends at 10" in said.err


def test_a_key_is_exported_and_trusted_elsewhere(released, folder) -> None:
    pem = released.call("keys", "export").out
    (folder.root / "team.pem").write_text(pem)
    assert folder.call("keys", "trust", "team", "team.pem").code == 0
    assert [one["name"] for one in folder.call("keys", "list", "--json").json] == ["team"]
    assert folder.call("keys", "export", "team").out == pem
    assert folder.call("keys", "distrust", "team").code == 0
    assert folder.call("keys", "trust", "team", "threefold.yaml").code == 2
