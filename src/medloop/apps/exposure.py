"""Nothing listens beyond this machine by accident."""

import logging
from urllib.parse import urlsplit

from medloop.apps.console import UsageError
from medloop.apps.loopback import is_loopback
from medloop.apps.site import Site
from medloop.core.errors import InputError

log = logging.getLogger(__name__)


def check_exposed(site: Site, has_users: bool, *, is_insecure: bool = False) -> None:  # noqa: FBT001 - a fact, no switch
    """Refuse to listen beyond this machine unless the site has said who may come in, and how.

    The web needs users (or OpenID Connect) and TLS, also where a proxy leads to it; the DICOM
    listener needs certificates of its callers or a list of them: TLS alone keeps nobody out.
    `is_insecure` is a person's word that the network is the fence; it is logged.

    Raises
    ------
    UsageError
        If something would be open that should not.
    """
    web, dicom = site.web, site.dicom
    is_open = not has_users and site.users.openid is None
    is_reached = not is_loopback(web.host)
    is_proxied = bool(web.url) and not is_loopback(urlsplit(web.url).hostname or "")
    faults = []
    if is_open and (is_reached or is_proxied):
        faults.append("the web has no users (medloop users add NAME --role administrator)")
    if (is_reached and not web.has_tls) or (is_proxied and not web.is_secure):
        faults.append("the web has no TLS ([web] tls_certificate and tls_key)")
    if not is_loopback(dicom.host) and not (dicom.tls_authority or dicom.accept):
        faults.append(
            "DICOM knows neither its callers' certificates ([dicom] tls_authority) nor a list"
            " of them (accept)"
        )
    if faults and not is_insecure:
        raise UsageError(f"refusing to listen beyond this machine: {'; '.join(faults)}")
    for fault in faults:
        log.warning("open to the network as asked: %s", fault)
    if is_open and is_loopback(web.host):
        log.warning("no users yet: whoever is at this machine may do everything")


def check_certificates(site: Site) -> None:
    """Try the certificates with which the node will listen, before anything is started.

    Raises
    ------
    UsageError
        If one cannot be read, or is no certificate or key.
    """
    from medloop.dicom.net.tls import server_context  # so that settings load no pynetdicom

    pairs = (
        ("[web]", site.web.tls_certificate, site.web.tls_key, None),
        ("[dicom]", site.dicom.tls_certificate, site.dicom.tls_key, site.dicom.tls_authority),
    )
    for section, certificate, key, authority in pairs:
        if certificate is None or key is None:
            continue
        try:
            server_context(certificate, key, authority)
        except InputError as error:
            raise UsageError(f"{section}: {error}") from error
