"""From what a person types to the nodes the walk begins at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from threefold.errors import NotFound, Refused, ThreefoldError
from threefold.governance.lineage.relations import GIT_COMMIT
from threefold.governance.lineage.walk import Direction, Edge, Node
from threefold.packaging.bundles import load_bundle
from threefold.records import Routing, from_plain
from threefold.registry import names
from threefold.serving import log
from threefold.store import Store
from threefold.store.schema import (
    aliases,
    artifacts,
    datasets,
    endpoints,
    executions,
    files,
    logged_models,
    model_versions,
    releases,
    run_tags,
    runs,
    snapshots,
)

SHORTEST = 6  # letters of an id that are enough, where only one begins with them
SAMPLE = 50  # of a kind that are looked at before a beginning counts as ambiguous


@dataclass(frozen=True, slots=True)
class Start:
    """Where a walk begins."""

    nodes: tuple[Node, ...]  # what was asked about
    seeds: tuple[Node, ...]  # from where the catalogue is walked; often the same
    edges: tuple[Edge, ...] = ()  # between the two: what the tables do not say


def find(store: Store, subject: str, direction: Direction) -> Start:
    """The nodes that a subject means: "model churn/3", "snapshot flights", "run 4f2a91", or the name or id alone.

    Raises:
        NotFound: it means nothing here.
        Refused: an id was cut so short that several things begin with it.
    """
    kinds = sorted(FINDERS, key=len, reverse=True)  # "logged model" before "model"
    kind = next((one for one in kinds if subject.startswith(one + " ")), None)
    tried = {kind: FINDERS[kind]} if kind else FINDERS
    word = subject.removeprefix(f"{kind} ").strip() if kind else subject.strip()
    for finder in tried.values():
        start = finder(store, word, direction) if word else None
        if start is not None:
            return start
    raise NotFound(
        f"nothing here is called {subject!r}", f"lineage in {store.url}",
        f"name it with its kind, as in \"model churn/3\"; kinds: {', '.join(FINDERS)}",
    )  # fmt: skip


Finder = Callable[[Store, str, Direction], Start | None]


def _version(store: Store, word: str, _: Direction) -> Start | None:
    name, split, reference = word.replace("@", "/").rpartition("/")
    if split:
        try:
            found = names.find(store, name, reference)
        except NotFound:
            return None
        return _nodes("version", [f"{name}/{found.number}"])
    with store.read() as connection:
        alive = (model_versions.c.name == word, model_versions.c.deleted_at.is_(None))
        numbers = connection.scalars(select(model_versions.c.number).where(*alive)).all()
    return _nodes("version", [f"{word}/{number}" for number in sorted(numbers)])


def _alias(store: Store, word: str, _: Direction) -> Start | None:
    name, _split, alias = word.rpartition("@")
    with store.read() as connection:
        mine = (aliases.c.name == name, aliases.c.alias == alias)
        return _nodes("alias", [word] if connection.scalar(select(aliases.c.number).where(*mine)) else [])


def _by_id(kind: str, column: Any, shortest: int = SHORTEST) -> Finder:
    """A finder for things with an id of which the beginning is enough."""

    def finder(store: Store, word: str, _: Direction) -> Start | None:
        with store.read() as connection:
            return _nodes(kind, _begin(connection, word, (column,), shortest))

    return finder


def _commit(store: Store, word: str, _: Direction) -> Start | None:
    columns = (runs.c.code["commit"].as_string(), model_versions.c.lineage[("code", "commit")].as_string())
    with store.read() as connection:
        found = _begin(connection, word, columns)
        tagged = select(run_tags.c.value).where(run_tags.c.name == GIT_COMMIT, run_tags.c.value.startswith(word))
        found = sorted(
            {*found, *connection.scalars(tagged.distinct().limit(SAMPLE))} if len(word) >= SHORTEST else found
        )
    return _nodes("commit", _only(word, found))


def _snapshot(store: Store, word: str, _: Direction) -> Start | None:
    with store.read() as connection:
        named = connection.scalars(select(snapshots.c.digest).where(snapshots.c.name == word)).all()
        return _nodes("object", sorted(named) or _begin(connection, word, (snapshots.c.digest,)))


def _object(store: Store, word: str, _: Direction) -> Start | None:
    columns = (
        artifacts.c.digest, snapshots.c.digest, files.c.digest, model_versions.c.bundle, runs.c.environment,
        runs.c.code["archive"].as_string(),
    )  # fmt: skip
    with store.read() as connection:
        digests = _begin(connection, word, columns)
        paths = connection.scalars(select(files.c.path).where(files.c.digest.in_(digests))).all()
    if not digests:
        return None
    start, owners = Node("object", digests[0]), sorted({owner for path in paths if (owner := _owner(path))})
    kinds = tuple(Node(kind, digests[0]) for kind in ("object", "code", "environment"))
    return Start((start,), (*kinds, *owners), tuple(Edge(start, owner, "file") for owner in owners))


def _owner(path: str) -> Node | None:
    """Whose file it is: "0/<run>/artifacts/…" or "0/models/<model>/artifacts/…"."""
    parts = path.split("/")
    if len(parts) > 3 and parts[1] == "models":
        return Node("logged model", parts[2])
    return Node("run", parts[1]) if len(parts) > 2 else None


def _endpoint(store: Store, word: str, direction: Direction) -> Start | None:
    with store.read() as connection:
        body = connection.scalar(select(endpoints.c.routing).where(endpoints.c.name == word))
    if body is None:
        return None
    endpoint, routing = Node("endpoint", word), from_plain(body, Routing)
    if direction == "down":
        return Start((endpoint,), (endpoint,))
    # What answers now, not all that ever did.
    answering = tuple(Node("release", arm.release_id) for arm in routing.arms)
    return Start((endpoint,), answering, tuple(Edge(release, endpoint, "release") for release in answering))


def _dataset(store: Store, word: str, _: Direction) -> Start | None:
    with store.read() as connection:
        named = select(datasets.c.id).where((datasets.c.name == word) | (datasets.c.digest == word))
        return _nodes("dataset", [str(number) for number in connection.scalars(named)])


def _prediction(store: Store, word: str, direction: Direction) -> Start | None:
    with store.read() as connection:
        routings = [from_plain(body, Routing) for body in connection.scalars(select(endpoints.c.routing))]
    for routing in routings:
        found = log.find(store, routing.endpoint, word)
        if found is not None:
            prediction = Node("prediction", word)
            if found["version"] is None or direction == "down":
                return Start((prediction,), ())
            version = Node("version", f"{routing.model}/{int(found['version'])}")
            return Start((prediction,), (version,), (Edge(version, prediction, "answered by"),))
    return None


def _feature(store: Store, word: str, direction: Direction) -> Start | None:
    feature, edges = Node("feature", word), []
    with store.read() as connection:
        table = model_versions
        rows = connection.execute(select(table.c.bundle, table.c.lineage).where(table.c.bundle != "")).all()
    for digest, lineage in dict({row.bundle: row.lineage or {} for row in rows}).items():
        source = _source_of(store, digest, word)
        if source is None:
            continue
        snapshot = lineage.get("snapshots", {}).get(source)
        if direction == "down":
            edges.append(Edge(feature, Node("object", digest), "feature"))
        elif snapshot:
            edges.append(Edge(Node("object", snapshot), feature, f"table {source}"))
        else:
            edges.append(Edge(Node("object", digest), feature, "bundle that holds it"))
    others = sorted({edge.lower if direction == "down" else edge.upper for edge in edges})
    return Start((feature,), tuple(others), tuple(edges)) if edges else None


def _source_of(store: Store, bundle: str, feature: str) -> str | None:
    """The table that a feature of a bundle reads; None where the bundle has no such feature, or is gone."""
    try:
        features = load_bundle(store, bundle).task.features
    except ThreefoldError:
        return None
    return next((one.source for one in features if one.name == feature), None)


def _begin(connection: Connection, word: str, columns: Iterable[Any], shortest: int = SHORTEST) -> list[str]:
    """The one id that is this word, or begins with it, among some columns."""
    found: set[str] = set()
    for column in columns:
        if connection.scalar(select(column).where(column == word).limit(1)):
            return [word]
        if len(word) >= shortest:
            same = select(column).where(column.startswith(word, autoescape=True)).distinct().limit(SAMPLE)
            found |= set(connection.scalars(same))
    return _only(word, sorted(found))


def _only(word: str, found: list[str]) -> list[str]:
    if len(found) > 1:
        raise Refused(
            f"{len(found)} things begin with {word!r}", "lineage", f"name more of it: {', '.join(found[:3])} …"
        )
    return found


def _nodes(kind: str, ids: Iterable[str]) -> Start | None:
    nodes = tuple(Node(kind, one) for one in ids)
    return Start(nodes, nodes) if nodes else None


# In this order a word without a kind is looked up.
FINDERS: Mapping[str, Finder] = {
    "model": _version,
    "alias": _alias,
    "logged model": _by_id("logged model", logged_models.c.id),
    "run": _by_id("run", runs.c.id),
    "release": _by_id("release", releases.c.id),
    "snapshot": _snapshot,
    "object": _object,
    "commit": _commit,
    "step": _by_id("step", executions.c.id),
    "endpoint": _endpoint,
    "dataset": _dataset,
    "feature": _feature,
    "prediction": _prediction,
}
