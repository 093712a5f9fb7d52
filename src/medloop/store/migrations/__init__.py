"""How the database became what it is, one Alembic revision a step."""
