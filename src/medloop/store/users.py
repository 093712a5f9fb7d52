"""People and machines that may come in, and what they may do."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from medloop.core.errors import InputError
from medloop.store.sql import Database
from medloop.store.tables import sessions, tokens
from medloop.store.tables import users as table

LONGEST_LOCK = timedelta(hours=1)
# Labels of tokens that programs get because their user signed in: they end as sessions do.
LABEL_SERVER: Final = "label server"
SLICER: Final = "link to 3D Slicer"  # stands in an address: it may only read


class Role(StrEnum):
    """What somebody is to the node."""

    VIEWER = "viewer"
    READER = "reader"
    ANNOTATOR = "annotator"
    ADMINISTRATOR = "administrator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may come in; `password` is a hash, empty where a provider vouches.

    With `is_once` somebody else chose the password: it is good for choosing another. Names of
    the person (PN, as `core.person` checks them) are given here, or by who vouches.
    """

    id: int
    name: str
    role: Role
    password: str
    subject: str | None
    is_disabled: bool
    failures: int
    locked_until: datetime | None
    created: datetime
    is_once: bool = False
    full_name: str = ""
    claimed_name: str = ""

    @property
    def person_name(self) -> str:
        """The person's name as a PN: what was given here before what the provider says."""
        return self.full_name or self.claimed_name

    def is_locked(self, now: datetime) -> bool:
        """Whether too many wrong passwords keep the user out for now."""
        return self.locked_until is not None and self.locked_until > now


@dataclass(frozen=True, slots=True)
class Users:
    """The table of users. A user who is changed or disabled has no session any more."""

    database: Database

    def add(
        self, name: str, role: Role, *, now: datetime, password: str = "", subject: str = ""
    ) -> User:
        """Let somebody in from now on; `password` is the hash of one.

        Raises
        ------
        InputError
            If the name cannot be one, or somebody has it.
        """
        if not re.fullmatch(r"[\w.@+-]{1,64}", name):
            raise InputError("a user's name has 1 to 64 letters, digits and . _ @ + -")
        row = {
            "name": name,
            "password": password,
            "subject": subject or None,
            "role": role.value,
            "is_disabled": False,
            "failures": 0,
            "created": now,
            "changed": now,
        }
        with self.database.writing() as connection:
            if connection.execute(select(table.c.id).where(table.c.name == name)).first():
                raise InputError(f"there is a user {name} already")
            added = connection.execute(insert(table).values(row).returning(table))
            return _user(added.mappings().one())

    def find(self, name: str) -> User | None:
        """Look a user up by name."""
        return self._one(table.c.name == name)

    def of_subject(self, subject: str) -> User | None:
        """Look up whom OpenID Connect knows by this subject."""
        return self._one(table.c.subject == subject)

    def get(self, name: str) -> User:
        """Look a user up by name, or raise `InputError`."""
        user = self.find(name)
        if user is None:
            raise InputError(f"there is no user {name}")
        return user

    def all(self) -> tuple[User, ...]:
        """List users by name."""
        with self.database.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.name)).mappings()
            return tuple(_user(row) for row in rows)

    def has_any(self) -> bool:
        """Whether anybody was ever added."""
        with self.database.reading() as connection:
            return connection.execute(select(table.c.id).limit(1)).first() is not None

    def change(
        self,
        user: User,
        *,
        now: datetime,
        password: str | None = None,
        role: Role | None = None,
        is_disabled: bool | None = None,
    ) -> None:
        """Change what is given, open a lock, and end the user's sessions."""
        values: dict[str, object] = {"changed": now, "failures": 0, "locked_until": None}
        if password is not None:
            values |= {"password": password, "is_once": False}
        if role is not None:
            values["role"] = role.value
        if is_disabled is not None:
            values["is_disabled"] = is_disabled
        with self.database.writing() as connection:
            connection.execute(update(table).where(table.c.id == user.id).values(values))
            end_sessions(connection, user, now)

    def rename(
        self,
        user: User,
        *,
        now: datetime,
        full_name: str | None = None,
        claimed_name: str | None = None,
    ) -> User:
        """Change what is given of the person's names (checked ones); sessions go on."""
        said = {"full_name": full_name, "claimed_name": claimed_name}
        values = {key: value for key, value in said.items() if value is not None}
        changed = update(table).where(table.c.id == user.id).values(changed=now, **values)
        with self.database.writing() as connection:
            return _user(connection.execute(changed.returning(table)).mappings().one())

    def lend(self, user: User, password: str, *, now: datetime) -> None:
        """Give a password (its hash) that is good for choosing another, and nothing else."""
        values = {"password": password, "is_once": True, "changed": now}
        values |= {"failures": 0, "locked_until": None}
        with self.database.writing() as connection:
            connection.execute(update(table).where(table.c.id == user.id).values(values))
            end_sessions(connection, user, now)

    def require_another(self, user: User) -> None:
        """Raise `InputError` if a user administers and nobody else would be left who does."""
        administers = (
            table.c.role == Role.ADMINISTRATOR.value,
            table.c.is_disabled.is_(False),
        )
        with self.database.reading() as connection:
            found = list(connection.execute(select(table.c.id).where(*administers)).scalars())
        if found == [user.id]:
            raise InputError(f"{user.name} is the last administrator: make another one first")

    def fail(self, user: User, *, now: datetime, tries: int) -> User:
        """Count a wrong password; from the `tries`th on, each locks for twice as long."""
        counted = (
            update(table)
            .where(table.c.id == user.id)
            .values(failures=table.c.failures + 1)
            .returning(table.c.failures)
        )
        with self.database.writing() as connection:
            failures = connection.execute(counted).scalar_one()
            locked = lock_of(failures, tries)
            values = {"locked_until": now + locked if locked else None}
            changed = update(table).where(table.c.id == user.id).values(values)
            row = connection.execute(changed.returning(table)).mappings().one()
        return _user(row)

    def succeed(self, user: User, *, password: str | None = None) -> None:
        """Forget wrong passwords; keep a stronger hash of the right one, if there is one."""
        values: dict[str, object] = {"failures": 0, "locked_until": None}
        if password is not None:
            values["password"] = password
        if user.failures or user.locked_until or password is not None:
            with self.database.writing() as connection:
                connection.execute(update(table).where(table.c.id == user.id).values(values))

    def _one(self, condition: ColumnElement[bool]) -> User | None:
        with self.database.reading() as connection:
            found = connection.execute(select(table).where(condition))
            row = found.mappings().one_or_none()
        return _user(row) if row else None


def end_sessions(connection: Connection, user: User, now: datetime) -> int:
    """Sign a user out of all browsers, and of the programs that signed in; returns how many."""
    gone = connection.execute(delete(sessions).where(sessions.c.user_id == user.id)).rowcount
    changed = update(tokens).where(
        tokens.c.user_id == user.id,
        tokens.c.name.in_((LABEL_SERVER, SLICER)),
        tokens.c.revoked.is_(None),
        tokens.c.expires > now,
    )
    return gone + connection.execute(changed.values(revoked=now)).rowcount


def lock_of(failures: int, tries: int) -> timedelta:
    """Say how long to lock: 30 s after `tries` failures, doubling with each, 1 h at most."""
    if failures < tries:
        return timedelta(0)
    return min(timedelta(seconds=30 * 2 ** min(failures - tries, 16)), LONGEST_LOCK)


def _user(row: RowMapping) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        password=row["password"],
        subject=row["subject"],
        is_disabled=row["is_disabled"],
        failures=row["failures"],
        locked_until=row["locked_until"],
        created=row["created"],
        is_once=row["is_once"],
        full_name=row["full_name"],
        claimed_name=row["claimed_name"],
    )
