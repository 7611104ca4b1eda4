"""How a register of an older version becomes one of this version: Alembic's scripts."""
