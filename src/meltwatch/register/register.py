"""The register of people and their orders: every change with its audit row, or not at all.

Thread-safe and synchronous; `now` (ms UTC) is told by the caller. Every call may raise
RegisterUnavailable: then nothing was changed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from meltwatch.audit.chain import Deed
from meltwatch.errors import Problem
from meltwatch.model.encoding import decode, encode
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.log import AnyCommand
from meltwatch.register import audit
from meltwatch.register.account import Account, Doer
from meltwatch.register.account_rules import problems_of
from meltwatch.register.database import guarded, open_engine
from meltwatch.register.errors import (
    AccountRefused,
    OutboxOutOfStep,
    SignInRefused,
    TooManyTries,
)
from meltwatch.register.order import Obeyed, Order
from meltwatch.register.passwords import Passwords
from meltwatch.register.tables import accounts, orders, sessions, tries

MINUTE_MS = 60_000
LASTS_MS = 13 * 60 * MINUTE_MS
"""A session lasts a shift and its handing over, whatever it does."""
IDLE_MS = 60 * MINUTE_MS
"""A session that asks for nothing for so long is over; an open screen asks."""
SEEN_EVERY_MS = MINUTE_MS
TRIES_MS = 5 * MINUTE_MS
TRIES_A_LOGIN = 5
TRIES_AN_ORIGIN = 20
TOKEN_BYTES = 32

T = TypeVar("T")


class Register:
    """An open register."""

    def __init__(self, engine: Engine, node: str = "") -> None:
        """Work with an engine; `open` makes one. `node`: this node's name, for audit rows."""
        self._engine = engine
        self._node = node
        self._passwords = Passwords()

    @classmethod
    def open(cls, path: Path, node: str = "") -> Register:
        """Open or make a register; raises RegisterUnavailable."""
        return cls(open_engine(path), node)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    # accounts

    def add_account(self, account: Account, password: str, by: Doer, now: int) -> None:
        """Add a person; raises AccountRefused with every reason."""
        problems = problems_of(account, password)
        if problems:
            raise AccountRefused(problems)
        kept = self._passwords.hash(password)

        def add(connection: Connection) -> None:
            taken = select(accounts.c.login).where(accounts.c.login == account.login)
            if connection.execute(taken).first() is not None:
                raise AccountRefused([Problem("login", "account.taken", {"login": account.login})])
            values = {name: getattr(account, name) for name in Account.__struct_fields__}
            connection.execute(insert(accounts).values(**values, password=kept, created_at=now))
            told = {"role": account.role, "scope": account.enterprise or account.region or ""}
            audit.write(connection, _deed(by, now, "account.add", account.login, told))

        self._change(add)

    def set_password(self, login: str, password: str, by: Doer, now: int) -> None:
        """Give a person another password and end their sessions; raises AccountRefused."""
        self._change_account(login, by, now, "account.password", {"password": password})

    def disable_account(self, login: str, by: Doer, now: int) -> None:
        """Let a person in no more, from now on; raises AccountRefused."""
        self._change_account(login, by, now, "account.disable", {})

    def accounts(self) -> list[Account]:
        """Return everybody who may sign in, by login."""

        def read(connection: Connection) -> list[Account]:
            asked = select(accounts).where(accounts.c.disabled_at.is_(None))
            found = connection.execute(asked.order_by(accounts.c.login)).mappings()
            return [_account(one) for one in found]

        return self._change(read)

    def _change_account(
        self, login: str, by: Doer, now: int, action: str, told: dict[str, str]
    ) -> None:
        # Disabled once is disabled since then.
        values: dict[str, object] = {"disabled_at": func.coalesce(accounts.c.disabled_at, now)}
        if (password := told.get("password")) is not None:
            if problems := problems_of(None, password):
                raise AccountRefused(problems)
            values = {"password": self._passwords.hash(password)}

        def change(connection: Connection) -> None:
            changed = connection.execute(
                update(accounts).where(accounts.c.login == login).values(**values)
            )
            if changed.rowcount == 0:
                raise AccountRefused([Problem("login", "account.unknown", {"login": login})])
            connection.execute(delete(sessions).where(sessions.c.login == login))
            audit.write(connection, _deed(by, now, action, login, {}))

        self._change(change)

    # sign-in

    def sign_in(self, login: str, password: str, origin: str, now: int) -> tuple[str, Account]:
        """Begin a session; return its token, which is kept nowhere, and whose it is.

        Raises TooManyTries before the password is looked at, and SignInRefused: unknown, wrong
        and disabled get the same answer after the same time.
        """
        this_try = self._change(lambda connection: _begin_try(connection, login, origin, now))
        found = self._change(lambda connection: _known(connection, login))
        fits = self._passwords.fits(password, None if found is None else found[1])

        def conclude(connection: Connection) -> tuple[str, Account] | None:
            # Looked up again: the account may have changed while the password was hashed.
            if not fits or found is None or _known(connection, login) != found:
                by = Doer(who=login, role="", node=self._node, origin=origin)
                refused = _deed(by, now, "sign_in", login, {}, "sign_in.refused")
                audit.write(connection, refused)
                return None
            account, token = found[0], secrets.token_urlsafe(TOKEN_BYTES)
            connection.execute(
                delete(tries).where((tries.c.login == login) | (tries.c.id == this_try))
            )
            connection.execute(delete(sessions).where(sessions.c.created_at <= now - LASTS_MS))
            connection.execute(
                insert(sessions).values(
                    token_hash=_hash(token), login=login, origin=origin, created_at=now, seen_at=now
                )
            )
            by = Doer(who=login, role=account.role, node=self._node, origin=origin)
            audit.write(connection, _deed(by, now, "sign_in", login, {}))
            return token, account

        begun = self._change(conclude)
        if begun is None:
            raise SignInRefused(login)
        return begun

    def session(self, token: str, now: int) -> Account | None:
        """Return whose session it is, and note that it lives; None if it is over or nobody's."""

        def look(connection: Connection) -> Account | None:
            asked = select(accounts, sessions.c.created_at.label("begun_at"), sessions.c.seen_at)
            asked = asked.join(sessions, sessions.c.login == accounts.c.login)
            asked = asked.where(sessions.c.token_hash == _hash(token))
            found = connection.execute(asked).mappings().first()
            if found is None or found["disabled_at"] is not None:
                return None
            this = sessions.c.token_hash == _hash(token)
            if now >= found["begun_at"] + LASTS_MS or now >= found["seen_at"] + IDLE_MS:
                connection.execute(delete(sessions).where(this))
                return None
            if now >= found["seen_at"] + SEEN_EVERY_MS:
                connection.execute(update(sessions).where(this).values(seen_at=now))
            return _account(found)

        return self._change(look)

    def sign_out(self, token: str, now: int) -> None:
        """End a session; one that is over already stays so."""

        def end(connection: Connection) -> None:
            asked = select(accounts, sessions.c.origin).join(sessions)
            this = sessions.c.token_hash == _hash(token)
            found = connection.execute(asked.where(this)).mappings().first()
            if found is None:
                return
            connection.execute(delete(sessions).where(this))
            by = Doer(
                who=found["login"], role=found["role"], node=self._node, origin=found["origin"]
            )
            audit.write(connection, _deed(by, now, "sign_out", found["login"], {}))

        self._change(end)

    # orders

    def order(self, enterprise: EnterpriseId, command: AnyCommand, now: int) -> Order:
        """Store a command for the core in its turn, with its audit row; the same one only once."""

        def store(connection: Connection) -> Order:
            asked = select(orders.c.data).where(orders.c.command == command.id)
            if (known := connection.execute(asked).scalar()) is not None:
                stored: Order = decode(known, Order)
                return stored
            last = connection.execute(select(func.max(orders.c.seq))).scalar() or 0
            head = audit.write(connection, _ordered(command, enterprise, now))
            order = Order(enterprise=enterprise, seq=last + 1, command=command, other=head)
            connection.execute(
                insert(orders).values(
                    seq=order.seq, command=command.id, data=encode(order), stored_at=now
                )
            )
            return order

        return self._change(store)

    def waiting(self, limit: int) -> list[Order]:
        """Return up to `limit` orders that the core has not answered, in their turn."""

        def read(connection: Connection) -> list[Order]:
            asked = select(orders.c.data).where(orders.c.answered_at.is_(None))
            found = connection.execute(asked.order_by(orders.c.seq).limit(limit)).scalars()
            return [decode(one, Order) for one in found]

        return self._change(read)

    def answered(self, seq: int, answer: Obeyed, now: int) -> None:
        """Note the core's answer to an order; the first one counts."""

        def note(connection: Connection) -> None:
            this = (orders.c.seq == seq) & orders.c.answered_at.is_(None)
            values = {"answered_at": now, "answer": encode(answer)}
            connection.execute(update(orders).where(this).values(**values))
            audit.note_other(connection, answer.head)

        self._change(note)

    def answer_of(self, seq: int) -> Obeyed | None:
        """Return the core's answer to an order; None before it."""

        def read(connection: Connection) -> Obeyed | None:
            found = connection.execute(select(orders.c.answer).where(orders.c.seq == seq)).scalar()
            return None if found is None else decode(found, Obeyed)

        return self._change(read)

    def see_turn(self, expected: int) -> None:
        """Look whether the order that core waits for is the next one here.

        Raises OutboxOutOfStep: after one of the two files was put back from a copy.
        """

        def read(connection: Connection) -> tuple[int | None, int]:
            waits = select(func.min(orders.c.seq)).where(orders.c.answered_at.is_(None))
            last = connection.execute(select(func.max(orders.c.seq))).scalar() or 0
            return connection.execute(waits).scalar(), last

        waiting, last = self._change(read)
        if expected != (last + 1 if waiting is None else waiting):
            raise OutboxOutOfStep(expected, waiting, last)

    # inside

    def _change(self, change: Callable[[Connection], T]) -> T:
        """Do something in one transaction, all of it or nothing."""
        with guarded(), self._engine.begin() as connection:
            return change(connection)


def _begin_try(connection: Connection, login: str, origin: str, now: int) -> int:
    """Count a try before it is made, so that many at once are counted too."""
    connection.execute(delete(tries).where(tries.c.at <= now - TRIES_MS))
    for column, told, most in (
        (tries.c.login, login, TRIES_A_LOGIN),
        (tries.c.origin, origin, TRIES_AN_ORIGIN),
    ):
        found = connection.execute(
            select(tries.c.at).where(column == told).order_by(tries.c.at)
        ).scalars()
        made = list(found)
        if len(made) >= most:
            raise TooManyTries(max(1, -(-(made[-most] + TRIES_MS - now) // 1000)))
    made_now = insert(tries).values(login=login, origin=origin, at=now).returning(tries.c.id)
    return int(connection.execute(made_now).scalar_one())


def _known(connection: Connection, login: str) -> tuple[Account, str] | None:
    asked = select(accounts).where(accounts.c.login == login, accounts.c.disabled_at.is_(None))
    found = connection.execute(asked).mappings().first()
    return None if found is None else (_account(found), found["password"])


def _account(found: object) -> Account:
    return Account(**{name: found[name] for name in Account.__struct_fields__})  # type: ignore[index]


def _hash(token: str) -> bytes:
    """Return what is kept of a token: whoever reads the file cannot use it."""
    return hashlib.sha256(token.encode()).digest()


def _deed(
    by: Doer, now: int, action: str, subject: str, told: dict[str, str], outcome: str = "done"
) -> Deed:
    return Deed(
        at=now,
        who=by.who,
        role=by.role,
        node=by.node,
        origin=by.origin,
        action=action,
        subject=subject,
        why=by.why,
        outcome=outcome,
        params=dict(told),
    )


def _ordered(command: AnyCommand, enterprise: EnterpriseId, now: int) -> Deed:
    by = Doer(
        who=command.who,
        role=command.role,
        node=command.node,
        origin=command.origin,
        why=command.why,
    )
    action = f"order.{command.__struct_config__.tag}"
    return _deed(by, now, action, command.id, {"enterprise": enterprise}, "stored")
