"""Django's SQLite backend, with writers that take turns; Django looks for it in `base`."""
