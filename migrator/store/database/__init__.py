"""SQLite file of the store: connection, transactions, schema, rows."""
