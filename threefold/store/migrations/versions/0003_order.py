"""Series know whether their points came in order, so that a long one is read at a place without reading all of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

UNLESS = """
UPDATE series SET {column} = true WHERE NOT EXISTS (
    SELECT 1 FROM (
        SELECT step, at_ms,
            lag(step) OVER (ORDER BY position) AS step_before, lag(at_ms) OVER (ORDER BY position) AS at_before
        FROM points WHERE points.series = series.id
    ) AS each_point
    WHERE {breach}
)
"""
BREACHES = {
    "in_order": "at_ms < at_before OR (at_ms = at_before AND step <= step_before)",
    "rising": "step < step_before",
}


def upgrade() -> None:
    """Add the columns, and look once at every series."""
    for column, breach in BREACHES.items():
        op.add_column("series", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
        op.execute(UNLESS.format(column=column, breach=breach))
