"""`python -m tests` runs everything twice: on SQLite and on PostgreSQL."""
