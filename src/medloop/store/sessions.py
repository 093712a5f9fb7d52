"""Sessions of browsers and tokens of programs; the database holds hashes of their secrets only.

A secret has 256 random bits, so a plain SHA-256 keeps it: nothing can be tried one by one.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from medloop.core.errors import InputError
from medloop.store.sql import Database
from medloop.store.tables import sessions as table
from medloop.store.tables import tokens, users
from medloop.store.users import User, end_sessions

PREFIX: Final = "medloop_"  # so that scanners for leaked secrets know a token by sight
_NOTED = timedelta(minutes=1)  # how fine it is kept when something was last used


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which somebody signed in; `csrf` must come with every change."""

    user: str
    csrf: str
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A program's way in, without its secret."""

    id: int
    user: str
    name: str
    created: datetime
    expires: datetime | None
    used: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class Sessions:
    """Browsers that are signed in."""

    database: Database

    def begin(self, user: User, *, now: datetime, lasts: timedelta) -> str:
        """Sign a browser in and return the secret for its cookie; old sessions are swept."""
        secret = secrets.token_urlsafe(32)
        row = {
            "hash": hash_of(secret),
            "user_id": user.id,
            "csrf": secrets.token_urlsafe(32),
            "created": now,
            "seen": now,
            "expires": now + lasts,
        }
        with self.database.writing() as connection:
            connection.execute(delete(table).where(table.c.expires <= now))
            connection.execute(insert(table).values(row))
        return secret

    def find(self, secret: str, *, now: datetime, idle: timedelta) -> Session | None:
        """Say whose session it is; none if it ran out, idled, or the user was disabled."""
        key = hash_of(secret)
        asked = (
            select(table, users.c.name)
            .join(users, users.c.id == table.c.user_id)
            .where(
                table.c.hash == key,
                table.c.expires > now,
                table.c.seen > now - idle,
                users.c.is_disabled.is_(False),
            )
        )
        with self.database.reading() as connection:
            row = connection.execute(asked).mappings().one_or_none()
        if row is None:
            return None
        if now - row["seen"] > min(_NOTED, idle / 4):
            with self.database.writing() as connection:
                connection.execute(update(table).where(table.c.hash == key).values(seen=now))
        return Session(row["name"], row["csrf"], row["created"], row["expires"])

    def end(self, secret: str) -> None:
        """Sign a browser out."""
        with self.database.writing() as connection:
            connection.execute(delete(table).where(table.c.hash == hash_of(secret)))

    def end_all(self, user: User, *, now: datetime) -> int:
        """Sign a user out everywhere; return of how many browsers and programs."""
        with self.database.writing() as connection:
            return end_sessions(connection, user, now)

    def counts(self, *, now: datetime, idle: timedelta) -> Mapping[str, tuple[int, datetime]]:
        """Say of each user who is signed in: in how many browsers, and last seen when."""
        asked = (
            select(users.c.name, func.count(), func.max(table.c.seen))
            .join(users, users.c.id == table.c.user_id)
            .where(table.c.expires > now, table.c.seen > now - idle)
            .group_by(users.c.name)
        )
        with self.database.reading() as connection:
            return {name: (count, seen) for name, count, seen in connection.execute(asked)}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Programs that may come in."""

    database: Database

    def issue(
        self, user: User, name: str, *, now: datetime, lasts: timedelta | None
    ) -> tuple[Token, str]:
        """Make a token and return it with its secret, which nobody can look up later."""
        secret = PREFIX + secrets.token_urlsafe(32)
        expires = None if lasts is None else now + lasts
        row = {
            "user_id": user.id,
            "name": name,
            "hash": hash_of(secret),
            "created": now,
            "expires": expires,
        }
        with self.database.writing() as connection:
            number = connection.execute(insert(tokens).values(row).returning(tokens.c.id))
            made = number.scalar_one()
        return Token(made, user.name, name, now, expires, None, None), secret

    def find(self, secret: str, *, now: datetime) -> str | None:
        """Say whose token it is; none if it ran out, was revoked, or the user was disabled."""
        known = self.known(secret, now=now)
        return known[0] if known else None

    def known(self, secret: str, *, now: datetime) -> tuple[str, str] | None:
        """Say whose token it is, as `find`, and what it is called."""
        key = hash_of(secret)
        asked = (
            select(tokens.c.expires, tokens.c.used, users.c.name, tokens.c.name.label("label"))
            .join(users, users.c.id == tokens.c.user_id)
            .where(
                tokens.c.hash == key,
                tokens.c.revoked.is_(None),
                users.c.is_disabled.is_(False),
            )
        )
        with self.database.reading() as connection:
            row = connection.execute(asked).mappings().one_or_none()
        if row is None or (row["expires"] is not None and row["expires"] <= now):
            return None
        if row["used"] is None or now - row["used"] > _NOTED:
            with self.database.writing() as connection:
                connection.execute(update(tokens).where(tokens.c.hash == key).values(used=now))
        return str(row["name"]), str(row["label"])

    def all(self) -> tuple[Token, ...]:
        """List tokens, oldest first."""
        asked = select(tokens, users.c.name.label("user")).join(
            users, users.c.id == tokens.c.user_id
        )
        with self.database.reading() as connection:
            rows = connection.execute(asked.order_by(tokens.c.id)).mappings()
            return tuple(
                Token(
                    id=row["id"],
                    user=row["user"],
                    name=row["name"],
                    created=row["created"],
                    expires=row["expires"],
                    used=row["used"],
                    revoked=row["revoked"],
                )
                for row in rows
            )

    def revoke(self, number: int, *, now: datetime) -> None:
        """Let a token open nothing any more, or raise `InputError` if there is none."""
        changed = (
            update(tokens)
            .where(tokens.c.id == number, tokens.c.revoked.is_(None))
            .values(revoked=now)
            .returning(tokens.c.id)
        )
        with self.database.writing() as connection:
            if connection.execute(changed).first() is None:
                raise InputError(f"there is no token {number} that opens anything")


def hash_of(secret: str) -> str:
    """Return the SHA-256 by which a secret is looked up."""
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).hexdigest()
