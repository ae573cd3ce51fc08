"""How Alembic reaches the register of accounts: over the connection, and in the transaction, that the tool hands it."""

from alembic import context


def run() -> None:
    """Run the revisions."""
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


run()
