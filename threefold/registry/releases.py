"""Releases: this data, this model, this code, this environment, and the evidence that they were tested together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select

from threefold.errors import NotFound, Refused
from threefold.records import ModelVersion, Release, from_plain, plain
from threefold.registry import versions
from threefold.store import Store, checkpoints, new_id
from threefold.store.schema import releases


def create(
    store: Store, endpoint: str, version: ModelVersion, evidence: Sequence[str], approved_by: str, reason: str
) -> Release:
    """Bind an approved version, its lineage and its evidence into one release. It is not served yet: see deploy.

    The event log is signed with it, so that what led to a release cannot be told differently later.

    Args:
        endpoint: where it will be served.
        evidence: ids, as `evidence.add` returned them.
        approved_by: a person, or "rule".
        reason: first release, drift, decay, schedule, rollback …
    Raises:
        Refused: the version is neither approved nor released before.
        NotFound: the registry does not know the version.
    """
    with store.write() as tx:
        # The status is read again inside the transaction: the caller's record may be older than a refusal.
        current = versions.find_in(tx.connection, version.name, version.number, store.url)
        label = versions.subject(current.name, current.number)
        if current.status not in ("approved", "released"):
            raise Refused(
                f"version {current.number} is {current.status}, not approved",
                label,
                "approve it first, or pass the gates",
            )
        release = Release(
            id=new_id(), endpoint=endpoint, name=current.name, number=current.number, bundle=current.bundle,
            lineage=current.lineage, evidence=tuple(evidence), approved_by=approved_by, reason=reason,
            created_at=datetime.fromisoformat(tx.now),
        )  # fmt: skip
        tx.execute(
            insert(releases).values(
                id=release.id, endpoint=endpoint, name=release.name, number=release.number, body=plain(release),
                created_at=tx.now,
            )
        )  # fmt: skip
        versions.move_status(tx, release.name, release.number, "released", reason, store.url)
        body = {"release": release.id, "version": release.number, "approved_by": approved_by, "reason": reason}
        tx.event("release.created", f"endpoint {endpoint}", body)
        checkpoints.make_in(store, tx)
    return release


def get(store: Store, release_id: str) -> Release:
    """One release by its id. Raises NotFound."""
    with store.read() as connection:
        body = connection.scalar(select(releases.c.body).where(releases.c.id == release_id))
    if body is None:
        raise NotFound(f"there is no release {release_id!r}", store.url, "see: threefold release list")
    return from_plain(body, Release)


def list_releases(store: Store, endpoint: str | None = None) -> tuple[Release, ...]:
    """The releases of one endpoint, or of all, oldest first."""
    query = select(releases.c.body).order_by(releases.c.created_at)
    if endpoint is not None:
        query = query.where(releases.c.endpoint == endpoint)
    with store.read() as connection:
        return tuple(from_plain(body, Release) for body in connection.scalars(query))


def latest(store: Store, endpoint: str) -> Release | None:
    """The newest release of an endpoint; None before the first."""
    query = select(releases.c.body).where(releases.c.endpoint == endpoint).order_by(releases.c.created_at.desc())
    with store.read() as connection:
        body = connection.scalar(query.limit(1))
    return None if body is None else from_plain(body, Release)
