"""The registry's schema, version by version (alembic)."""
