"""Everything that replaces an identity follows from one secret: same input, same output."""

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError

_SALT: Final = b"medloop deidentify 1"  # the same everywhere: a passphrase must give one key
_BYTES: Final = 32
_PREFIX: Final = "medloop-key-1:"
_LONGEST_SHIFT_DAYS: Final = 3650


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """The secret of a job. Whoever has it can find a pseudonym again, and open the map."""

    secret: bytes

    def _derive(self, purpose: str, text: str) -> bytes:
        message = f"{purpose}\0{text}".encode("utf-8", "surrogateescape")
        return hmac.new(self.secret, message, hashlib.sha256).digest()

    def uid(self, original: str) -> str:
        """Return the UID that stands for another: UUID-derived (PS3.5 B.2), HMAC-SHA256."""
        digest = self._derive("uid", original)
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"

    def pseudonym(self, patient: str) -> str:
        """Return the name that a patient has instead, such as ``P-7QK2M4ZD5A``."""
        return f"P-{base64.b32encode(self._derive('patient', patient))[:10].decode()}"

    def shift_days(self, patient: str) -> int:
        """Return by how many days the dates of a patient move: -3650 to -1."""
        number = int.from_bytes(self._derive("dates", patient)[:8])
        return -1 - number % _LONGEST_SHIFT_DAYS

    def token(self, path: str) -> str:
        """Return the name of a file or folder in the output."""
        return base64.b32encode(self._derive("path", path))[:12].decode().lower()

    def fernet_key(self) -> bytes:
        """Return the key of the encrypted map."""
        return base64.urlsafe_b64encode(self._derive("map", ""))

    def fingerprint(self) -> str:
        """Tell two keys apart without giving either away."""
        return self._derive("fingerprint", "").hex()[:12]


def key_from_passphrase(passphrase: str) -> Key:
    """Stretch a passphrase (scrypt, RFC 7914).

    Raises
    ------
    InputError
        If it is shorter than 12 characters.
    """
    if len(passphrase) < 12:
        raise InputError(f"the passphrase has {len(passphrase)} characters; 12 are asked for")
    stretched = hashlib.scrypt(
        passphrase.encode(), salt=_SALT, n=2**15, r=8, p=1, maxmem=2**26, dklen=_BYTES
    )
    return Key(stretched)


def read_key(path: Path) -> Key:
    """Read a key file, or make one that only its owner can read where there is none.

    Raises
    ------
    InputError
        If the file holds no key.
    """
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(f"{_PREFIX}{secrets.token_hex(_BYTES)}\n")
    except FileExistsError:
        pass
    text = path.read_bytes()[:200].decode("ascii", "replace").strip()
    try:
        secret = bytes.fromhex(text.removeprefix(_PREFIX))
    except ValueError:
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) != _BYTES:
        raise InputError("the key file holds no key of medloop deidentify")
    return Key(secret)
