"""The results store, the only room that knows SQL: SQLite by default, PostgreSQL by URL."""
