"""How Alembic reaches the store: over the connection, and in the transaction, that the tool hands it."""

from alembic import context

from migrator.store.tables import METADATA


def run() -> None:
    """Run the revisions. Batch mode: SQLite changes a table by making it anew."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
