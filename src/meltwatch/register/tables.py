"""The tables of the register, for SQLite and PostgreSQL alike. Instants are ms UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
ONE_SCOPE = (
    "(role IN ('ministry', 'admin') AND enterprise IS NULL AND region IS NULL)"
    " OR (role NOT IN ('ministry', 'admin') AND (enterprise IS NULL) <> (region IS NULL))"
)
"""An enterprise or a region, exactly one; who reaches over all has neither."""
metadata = MetaData(naming_convention=NAMES)

accounts = Table(
    "accounts",
    metadata,
    Column("login", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("enterprise", String(64)),
    Column("region", String(6)),
    Column("password", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    CheckConstraint(ONE_SCOPE, name="one_scope"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("login", String(64), ForeignKey("accounts.login"), nullable=False),
    Column("origin", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_sessions_login", "login"),
)

tries = Table(
    "tries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", String(64), nullable=False),
    Column("origin", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_tries_login", "login"),
    Index("ix_tries_at", "at"),
)

orders = Table(
    "orders",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("command", String(64), nullable=False, unique=True),
    Column("data", LargeBinary, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
    Column("answer", LargeBinary),
    Index("ix_orders_answered_at", "answered_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

heads = Table(
    "heads",
    metadata,
    Column("chain", String(16), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
"""The newest known head of the other database's audit chain: the next row here carries it."""
