"""Passwords: which are good enough, how they are kept, and whether one is right.

Length decides (NIST SP 800-63B 5.1.1.2); what many people choose is refused. Kept is the hash
of argon2id with the parameters that RFC 9106 recommends for machines with little memory.
"""

import threading
import unicodedata
from collections.abc import Collection
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from medloop.core.errors import InputError, ServiceError
from medloop.store.users import User, Users

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LONGEST: Final = 256
# What long common passwords are made of; whole ones shorter than the limit need no list.
_COMMON: Final = """
password passwort passwd pass word geheim secret login logon user username admin
administrator root master system server default guest test testing temp change
changeme letmein welcome hello iloveyou love lovely baby princess prince
sunshine dragon monkey football baseball soccer basketball superman batman
pokemon starwars shadow michael jordan ashley jessica charlie freedom trustno
qwerty qwertz azerty qwertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm qaz
wsx edc rfv qazwsx wsxedc woaini woaiwojia mima denglu guanliyuan yisheng
hospital clinic doctor doktor nurse medical medicine radiology xray dicom pacs
medloop orthanc health company office summer winter spring autumn monday friday
january december computer internet google apple samsung windows linux the my is
me for and
"""
_LEET: Final = str.maketrans("013457@$", "oleastas")
_WALKS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_AT_ONCE = threading.BoundedSemaphore(4)  # each check takes 64 MB


def require_good(password: str, name: str, shortest: int) -> None:
    """Raise `InputError` if a password is too short, too long, or what many would choose."""
    text = _normal(password)
    if not shortest <= len(text) <= LONGEST:
        raise InputError(f"a password has {shortest} to {LONGEST} characters, got {len(text)}")
    if is_common(text, name):
        raise InputError(
            "this password is easy to guess: take several words that do not belong"
        )


def is_common(text: str, name: str) -> bool:
    """Whether it is made of a few characters, steps on a keyboard, common words or the name."""
    low = text.lower()
    words = {*_COMMON.split(), _letters(name.lower())} - {""}
    if len(set(low)) < 5 or _walked(low) >= len(low) - 3:
        return True
    spelled = (_letters(low), _letters(low.translate(_LEET)))
    return low.isascii() and any(len(each) < 4 or _is_made(each, words) for each in spelled)


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    with _AT_ONCE:
        return _hasher().hash(_normal(password))


def sign_in(
    users: Users,
    name: str,
    password: str,
    *,
    now: datetime,
    tries: int,
    may_be_once: bool = False,
) -> User | None:
    """Return the user if the password is right and they may come in now.

    A password that somebody else gave opens nothing, unless who asks lets its user choose
    another (`may_be_once`).

    It takes the same time whether or not there is such a user; wrong passwords lock the user
    for growing spans from the `tries`th on.
    """
    user = users.find(name)
    is_open = user is not None and bool(user.password) and not user.is_disabled
    is_open = is_open and user is not None and not user.is_locked(now)
    kept = user.password if user is not None and is_open else _nobody()
    is_right = len(password) <= LONGEST * 4 and _matches(kept, password)
    if user is None or not is_open:
        return None
    if not is_right:
        users.fail(user, now=now, tries=tries)
        return None
    seen = users.find(name)  # others may have tried, too, while this password was checked
    if seen is None or seen.is_disabled or seen.is_locked(now) or seen.password != kept:
        return None
    if seen.is_once and not may_be_once:
        return None
    stale = _hasher().check_needs_rehash(kept)
    users.succeed(user, password=hash_password(password) if stale else None)
    return user


def _matches(kept: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        with _AT_ONCE:
            return _hasher().verify(kept, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """Write the same characters in the same way, whatever keyboard they came from."""
    return unicodedata.normalize("NFKC", password.encode(errors="replace").decode())


def _letters(text: str) -> str:
    return "".join(each for each in text if each.isalpha())


def _is_made(text: str, words: Collection[str]) -> bool:
    """Whether a text is words and nothing else."""
    ends = {0}
    for start in range(len(text)):
        if start in ends:
            ends |= {start + len(word) for word in words if text.startswith(word, start)}
    return len(text) in ends


def _walked(text: str) -> int:
    """Count characters that follow their neighbor as they do on a keyboard, or repeat it."""
    return sum(a == b or _is_step(a + b) for a, b in pairwise(text))


def _is_step(pair: str) -> bool:
    return any(pair in walk or pair[::-1] in walk for walk in _WALKS)


@cache
def _hasher() -> "PasswordHasher":
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise ServiceError("users need the extra serve: pip install medloop[serve]") from error
    return PasswordHasher()


@cache
def _nobody() -> str:
    """Return a hash that no password has, to try where there is no user."""
    return _hasher().hash("nobody has this password, and nobody can sign in with it")
