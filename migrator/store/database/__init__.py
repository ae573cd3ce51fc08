"""One SQLite file: connection, transactions, schema, rows."""
