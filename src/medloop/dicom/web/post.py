"""Sending by HTTP: one request, bounded in time, and one line for what went wrong."""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import httpx

from medloop.core.errors import ServiceError
from medloop.dicom.web.source import Access

CONNECT_S = 10.0


def post(
    url: str,
    body: bytes | Iterable[bytes],
    headers: Mapping[str, str],
    *,
    access: Access,
    timeout_s: float,
    name: str,
) -> httpx.Response:
    """POST a body and return any answer, whatever its status; `name` is of the receiver.

    Proxies and passwords come from our settings alone, redirections are not followed.

    Raises
    ------
    ServiceError
        If there is no answer; tells why, without the address.
    """
    with _reaching(name, access, timeout_s) as client:
        return client.post(url, content=body, headers={**headers, **_token(access)})


def put(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    access: Access,
    timeout_s: float,
    name: str,
) -> httpx.Response:
    """PUT a body, otherwise as `post`."""
    with _reaching(name, access, timeout_s) as client:
        return client.put(url, content=body, headers={**headers, **_token(access)})


def ask(url: str, *, access: Access, timeout_s: float, name: str) -> int:
    """GET an address and return the status of any answer, unread; raises as `post`."""
    with (
        _reaching(name, access, timeout_s) as client,
        client.stream("GET", url, headers=_token(access)) as answer,
    ):
        return answer.status_code


@contextmanager
def _reaching(name: str, access: Access, timeout_s: float) -> Iterator[httpx.Client]:
    """Open a client, and say in one line what is in the way."""
    try:
        with httpx.Client(
            auth=(access.user, access.secret) if access.user else None,
            verify=_trust(access),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S)),
            trust_env=False,
        ) as client:
            yield client
    except httpx.TimeoutException as error:
        raise ServiceError(f"{name} did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        raise ServiceError(f"{name} cannot be reached: {_reason(error)}") from error
    except OSError as error:
        raise ServiceError(f"{name} cannot be sent to: {error.strerror}") from error


def _token(access: Access) -> dict[str, str]:
    """Return the header for a secret without a user."""
    if access.secret and not access.user:
        return {"Authorization": f"Bearer {access.secret}"}
    return {}


def _trust(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=access.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if access.certificate:
        context.load_cert_chain(*access.certificate)
    return context


def _reason(error: BaseException) -> str:
    """Find the system's own words: httpx wraps them, and may quote the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed, {cause.reason or 'no reason given'}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
