"""Approvals: who said a version may be released, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from threefold.errors import GateFailed, Refused
from threefold.records import GateResult, ModelVersion
from threefold.registry import versions
from threefold.store import Store, Writer, new_id
from threefold.store.schema import approvals, releases, runs

RULE = "rule"  # who approves when every gate passed and nobody had to be asked


@dataclass(frozen=True, slots=True)
class Approval:
    """One yes to one version."""

    id: str
    name: str
    number: int
    by: str  # a person, or "rule"
    reason: str
    at: datetime


def approve(store: Store, version: ModelVersion, by: str, reason: str, *, separate: bool = False) -> Approval:
    """Record that somebody lets a version go to production, and make it approved; one that is there stays released.

    Args:
        separate: whether duties are separated: who trained or registered the version may not approve it.
    Raises:
        Refused: nobody or no reason is named; or the one who says yes made the version.
    """
    label = versions.subject(version.name, version.number)
    if not by.strip() or not reason.strip():
        raise Refused("an approval needs a name and a reason", label, "say who approves, and why")
    with store.write() as tx:
        if separate:
            _require_another(tx, version, by)
        row = {"id": new_id(), "name": version.name, "number": version.number, "by": by, "reason": reason, "at": tx.now}
        tx.execute(insert(approvals).values(**row))
        tx.event("approval.given", label, {"by": by, "reason": reason})
        status: versions.Status = "released" if _was_released(tx, version) else "approved"
        versions.move_status(tx, version.name, version.number, status, reason, store.url)
    return Approval(row["id"], version.name, version.number, by, reason, datetime.fromisoformat(tx.now))  # type: ignore[arg-type]  # the dict mixes types; the id is text


def refuse(store: Store, version: ModelVersion, reason: str) -> ModelVersion:
    """Say no to a version: it is not released, and one that answers is marked. Raises Refused."""
    if not reason.strip():
        raise Refused("a refusal needs a reason", versions.subject(version.name, version.number), "say why")
    return versions.set_status(store, version.name, version.number, "refused", reason)


def by_rule(store: Store, version: ModelVersion, results: Sequence[GateResult]) -> Approval:
    """Approve a version if every gate passed; otherwise mark it refused.

    Raises:
        GateFailed: at least one gate said no; the error carries each sentence.
        Refused: there are no results: nothing was tested, so nothing is known.
    """
    label = versions.subject(version.name, version.number)
    if not results:
        raise Refused(
            "no gate was run, so nothing speaks for this version", label, "run the gates: threefold run gates"
        )
    failed = [result for result in results if not result.passed]
    if failed:
        sentences = "; ".join(result.sentence for result in failed)
        versions.set_status(store, version.name, version.number, "refused", sentences)
        count = (
            f"{len(failed)} of {len(results)} gates failed" if len(failed) > 1 else f"gate {failed[0].gate!r} failed"
        )
        do = "better the model, or change the gate in threefold.yaml"
        raise GateFailed(f"{count}: {sentences}", label, do, results)
    return approve(store, version, RULE, f"all {len(results)} gates passed")


def authors(connection: Connection, version: ModelVersion) -> dict[str, str]:
    """Who made a version: name -> what they did."""
    query = select(runs.c.user).where(runs.c.id == version.run_id)
    trained = {user: "trained" for user in connection.scalars(query) if user}
    registered = {version.user: "registered"} if version.user else {}
    return registered | trained


def _was_released(tx: Writer, version: ModelVersion) -> bool:
    mine = (releases.c.name == version.name, releases.c.number == version.number)
    return tx.connection.scalar(select(releases.c.id).where(*mine).limit(1)) is not None


def _require_another(tx: Writer, version: ModelVersion, by: str) -> None:
    made = authors(tx.connection, version)
    for person in (by, tx.actor):  # the one who is named, and the one who calls: else a colleague's name would do
        if person in made:
            raise Refused(
                f"{person} {made[person]} this version and may not approve it",
                versions.subject(version.name, version.number),
                "let somebody else approve it, under their own name (the setting `actor`)",
            )


def of(store: Store, name: str, number: int) -> tuple[Approval, ...]:
    """The approvals of one version, oldest first."""
    query = select(approvals).where(approvals.c.name == name, approvals.c.number == number).order_by(approvals.c.at)
    with store.read() as connection:
        return tuple(
            Approval(row.id, row.name, row.number, row.by, row.reason, datetime.fromisoformat(row.at))
            for row in connection.execute(query)
        )
