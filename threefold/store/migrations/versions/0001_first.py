"""The first schema."""

from alembic import op

from threefold.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table. Frozen once released: a later table gets a migration of its own."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """There is nothing before the first schema."""
    raise RuntimeError("the first schema has no predecessor")
