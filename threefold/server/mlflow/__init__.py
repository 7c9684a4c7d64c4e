"""The tracking and registry protocol of MLflow, one file for each family of routes.

Each file holds a table ROUTES: (method, path) -> endpoint. `_families` lists the files.
"""

from __future__ import annotations

from threefold.server.mlflow import (
    artifacts,
    experiments,
    histories,
    logged_models,
    logging,
    model_versions,
    models,
    runs,
    service,
    webhooks,
)
from threefold.server.routes import Endpoint

_families = (service, experiments, runs, logging, histories, logged_models, artifacts, models, model_versions, webhooks)

ROUTES: dict[tuple[str, str], Endpoint] = {route: end for family in _families for route, end in family.ROUTES.items()}
