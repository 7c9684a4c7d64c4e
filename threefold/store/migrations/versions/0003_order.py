"""Series know whether their points came in order, so that a long one is read at a place without reading all of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Neither the step nor the moment ever goes back, and no point has both of the one before.
IN_ORDER = """
UPDATE series SET in_order = true WHERE NOT EXISTS (
    SELECT 1 FROM (
        SELECT step, at_ms,
            lag(step) OVER (ORDER BY position) AS step_before, lag(at_ms) OVER (ORDER BY position) AS at_before
        FROM points WHERE points.series = series.id
    ) AS each_point
    WHERE step < step_before OR at_ms < at_before OR (step = step_before AND at_ms = at_before)
)
"""


def upgrade() -> None:
    """Add the column, and look once at every series."""
    op.add_column("series", sa.Column("in_order", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(IN_ORDER)
