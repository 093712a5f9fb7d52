"""``medloop users``: who may come in by the web, and with what."""

import getpass
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medloop.apps.console import Exit, UsageError, say, whoami
from medloop.apps.opening import opened_store
from medloop.apps.settings import Settings
from medloop.apps.site import ROLES, Site, load_site
from medloop.core.person import checked_name

if TYPE_CHECKING:
    from medloop.store import Store
    from medloop.store.sessions import Tokens
    from medloop.store.users import Users

SUMMARY: Final = "Say who may come in by the web: users, their roles, passwords and tokens."
EXAMPLES: Final = (
    "add li --role reader --full-name Li^Ming=李^明",
    "add pacs --role service",
    "token pacs --label gateway --days 90",
    "password li --password-file -",
)
_VERBS: Final = (
    "add",
    "list",
    "name",
    "role",
    "disable",
    "enable",
    "password",
    "token",
    "revoke",
)
_STDIN: Final = Path("-")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=_VERBS)
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="the user; for revoke, the token's number"
    )
    parser.add_argument("--role", choices=ROLES, help="add, role: what the user may do")
    parser.add_argument(
        "--full-name",
        metavar="PN",
        help="add, name: what the person is called in reports: family^given, after = the same"
        " in ideographs; '' takes it back",
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="add, password: read the password from the first line of this file, - for stdin"
        " (without it, you are asked)",
    )
    parser.add_argument("--label", default="", help="token: what it is for")
    parser.add_argument(
        "--days", type=int, metavar="N", help="token: for how long it opens (0: without end)"
    )


def answer(options: Namespace, settings: Settings) -> Exit:
    """Check that the options belong together, and do what they ask.

    Raises
    ------
    UsageError
        If they do not.
    InputError
        If there is no such user or token, or the password is not good enough.
    """
    if options.action != "list" and not options.name:
        raise UsageError(f"users {options.action} needs NAME")
    if options.action in ("add", "role") and options.role is None:
        raise UsageError(f"users {options.action} needs --role: one of {', '.join(ROLES)}")
    if options.action == "name" and options.full_name is None:
        raise UsageError("users name needs --full-name")
    site = load_site()
    with opened_store(settings) as store:
        return _act(options, store, site)


def _act(options: Namespace, store: "Store", site: Site) -> Exit:
    from medloop.store.sessions import Tokens
    from medloop.store.users import Users

    users, tokens = Users(store.database), Tokens(store.database)
    match options.action:
        case "list":
            _list(users, tokens)
            return Exit.DONE
        case "add":
            _add(options, users, site)
        case "token":
            _issue(options, users, tokens, site)
        case "revoke":
            _revoke(options.name, tokens)
        case _:
            _change(options, users, site)
    _note(store, options)
    return Exit.DONE


def _list(users: "Users", tokens: "Tokens") -> None:
    for user in users.all():
        how = "disabled" if user.is_disabled else "locked" if user.is_locked(_now()) else ""
        how = how or ("password" if user.password else "provider" if user.subject else "")
        called = f"  {user.person_name}" if user.person_name else ""
        say(f"{user.name}  {user.role}  {how or 'no password'}{called}")
    for token in tokens.all():
        ends = f"until {token.expires:%Y-%m-%d}" if token.expires else "without end"
        if token.revoked or (token.expires and token.expires <= _now()):
            ends = "opens nothing any more"
        used = f"used {token.used:%Y-%m-%d}" if token.used else "never used"
        say(f"token {token.id}  {token.user}  {token.name}  {ends}, {used}")


def _add(options: Namespace, users: "Users", site: Site) -> None:
    from medloop.store.users import Role

    role, person = Role(options.role), checked_name(options.full_name or "")
    kept = ""
    if role is not Role.SERVICE or options.password_file:
        kept = _new_password(options, site)
    user = users.add(options.name, role, now=_now(), password=kept)
    if person:
        users.rename(user, now=_now(), full_name=person)
    say(f"{options.name} has the role {role} now")


def _change(options: Namespace, users: "Users", site: Site) -> None:
    from medloop.store.users import Role

    user = users.get(options.name)
    if options.action == "disable" or (
        options.action == "role" and options.role != Role.ADMINISTRATOR
    ):
        users.require_another(user)
    match options.action:
        case "password":
            users.change(user, now=_now(), password=_new_password(options, site))
            say(f"{user.name} has a new password")
        case "name":
            person = checked_name(options.full_name)
            users.rename(user, now=_now(), full_name=person)
            say(f"{user.name} is called {person}" if person else f"{user.name} has no name")
        case "role":
            users.change(user, now=_now(), role=Role(options.role))
            say(f"{user.name} has the role {options.role} now")
        case verb:
            users.change(user, now=_now(), is_disabled=verb == "disable")
            say(f"{user.name} is {verb}d")


def _issue(options: Namespace, users: "Users", tokens: "Tokens", site: Site) -> None:
    days = site.users.token_days if options.days is None else options.days
    if days < 0:
        raise UsageError(f"--days {days} is below 0")
    lasts = timedelta(days=days) if days else None
    label = options.label or "token"
    token, secret = tokens.issue(users.get(options.name), label, now=_now(), lasts=lasts)
    say(secret)
    print(f"token {token.id}: keep it now, it is not shown again", file=sys.stderr)


def _revoke(number: str, tokens: "Tokens") -> None:
    if not number.isdecimal():
        raise UsageError(f"users revoke needs the number of a token, got {number!r}")
    tokens.revoke(int(number), now=_now())
    say(f"token {number} opens nothing any more")


def _new_password(options: Namespace, site: Site) -> str:
    """Read a password, and return what is kept of it."""
    from medloop.apps.web.passwords import hash_password, require_good

    password = _typed(options.password_file)
    require_good(password, options.name, site.users.password_min)
    return hash_password(password)


def _typed(file: Path | None) -> str:
    if file is not None and file != _STDIN:
        return (file.read_text(encoding="utf-8").splitlines() or [""])[0]
    if file == _STDIN or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != first:
        raise UsageError("the two passwords are not the same")
    return first


def _note(store: "Store", options: Namespace) -> None:
    from medloop.store import Entry

    details = {"role": options.role} if options.role else {}
    deed = f"users {options.action}"
    store.audit.append(Entry(_now(), whoami(), deed, options.name, details))


USERS: Final = (SUMMARY, add_options, answer, EXAMPLES)


def _now() -> datetime:
    return datetime.now(UTC)
