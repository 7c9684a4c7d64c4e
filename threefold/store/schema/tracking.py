"""Tables of tracking: experiments, runs and all that is logged to them.

A run of the engine and a run of any MLflow client are rows of the same table. A metric of a run is one row of `series`,
which knows its last value, and as many rows of `points` as were logged: searching reads the first, drawing the second.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from threefold.store.schema.base import Path, metadata

experiments = Table(
    "experiments",
    metadata,
    Column("id", Integer, primary_key=True),  # 0 is "Default"
    Column("name", String(500), nullable=False, unique=True),
    Column("artifact_root", Text, nullable=False),  # where its runs put their files
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_at", String(32), nullable=True),
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", Integer, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),  # short, for the tables below; people and clients use the id
    Column("id", String(32), nullable=False, unique=True),
    Column("experiment_id", Integer, ForeignKey("experiments.id"), nullable=False),
    Column("parent_id", String(32), nullable=True),
    Column("kind", String(32), nullable=False),  # pipeline, candidate, replay, reproduce; tracked: logged by a client
    Column("name", String(250), nullable=False),
    Column("user", String(256), nullable=False),
    Column("status", String(16), nullable=False),  # scheduled, running, done, failed, refused, interrupted
    Column("started_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=True),
    Column("deleted_at", String(32), nullable=True),
    Column("artifact_root", Text, nullable=False),  # empty: it has no files of its own
    Column("code", JSON, nullable=False),  # commit, dirty, digest of the project's files
    Column("environment", String(64), nullable=True),  # digest of the environment document
    Column("host", String(128), nullable=False),
    Column("pid", Integer, nullable=False),  # 0: not known
    Column("error", JSON, nullable=True),  # what, where, do
    Index("runs_experiment", "experiment_id", "started_at"),
    Index("runs_started", "started_at"),
    Index("runs_parent", "parent_id"),
)

params = Table(
    "params",
    metadata,
    Column("run", Integer, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("value", Text, nullable=False),  # a text as it is, anything else as JSON
    Index("params_name", "name", "run"),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run", Integer, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    Index("run_tags_name", "name", "run"),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", Integer, ForeignKey("runs.number", ondelete="CASCADE"), nullable=False),
    Column("name", String(250), nullable=False),
    Column("length", Integer, nullable=False),  # points it has
    Column("last_value", Float, nullable=True),  # of the largest (step, at_ms, value); null is NaN
    Column("last_step", BigInteger, nullable=False),
    Column("last_at_ms", BigInteger, nullable=False),
    Column("in_order", Boolean, nullable=False, server_default=false()),  # by moment, then by step, then by value
    Column("rising", Boolean, nullable=False, server_default=false()),  # its step never went back
    UniqueConstraint("run", "name"),
    Index("series_name_value", "name", "last_value", "run"),
)

points = Table(
    "points",
    metadata,
    Column("series", Integer, ForeignKey("series.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),  # 0, 1, 2 … as they came
    Column("step", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("value", Float, nullable=True),  # null is NaN; infinity is kept
    Column("model_id", String(34), nullable=True),
    Column("dataset_name", String(500), nullable=True),
    Column("dataset_digest", String(36), nullable=True),
    sqlite_with_rowid=False,  # rows of one series lie beside one another
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment_id", Integer, ForeignKey("experiments.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("digest", String(36), nullable=False),
    Column("source_type", String(36), nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text, nullable=True),
    Column("profile", Text, nullable=True),
    UniqueConstraint("experiment_id", "name", "digest"),
)

run_datasets = Table(
    "run_datasets",
    metadata,
    Column("run", Integer, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), primary_key=True),
    Column("tags", JSON, nullable=False),  # name -> value; "mlflow.data.context" says what it was used for
    Index("run_datasets_dataset", "dataset"),
)

logged_models = Table(
    "logged_models",
    metadata,
    Column("id", String(34), primary_key=True),  # "m-" and 32 hex letters
    Column("experiment_id", Integer, ForeignKey("experiments.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("artifact_root", Text, nullable=False),
    Column("status", Integer, nullable=False),  # as the protocol numbers it: 1 pending, 2 ready, 3 failed
    Column("status_message", Text, nullable=True),
    Column("type", String(500), nullable=True),
    Column("source_run_id", String(32), nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_at", String(32), nullable=True),
    Index("logged_models_experiment", "experiment_id", "created_ms"),
    Index("logged_models_run", "source_run_id"),
)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model_id", String(34), ForeignKey("logged_models.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model_id", String(34), ForeignKey("logged_models.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", String(34), ForeignKey("logged_models.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("name", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("value", Float, nullable=True),
    Column("dataset_name", String(500), nullable=True),
    Column("dataset_digest", String(36), nullable=True),
    Index("logged_model_metrics_model", "model_id", "name"),
    Index("logged_model_metrics_value", "name", "value"),
)

run_models = Table(
    "run_models",
    metadata,
    Column("run", Integer, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("role", String(8), primary_key=True),  # input, output
    Column("model_id", String(34), primary_key=True),
    Column("step", BigInteger, nullable=False),
    Index("run_models_model", "model_id"),
)

files = Table(
    "files",
    metadata,
    Column("path", Path, primary_key=True),  # under the artifact root of the store: "0/<run>/artifacts/model/MLmodel"
    Column("digest", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Index("files_digest", "digest"),
)
