"""Where Alembic runs: inside the transaction that the store has opened."""

from alembic import context

from threefold.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
